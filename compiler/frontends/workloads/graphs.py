"""Builds a quantised graph, operator by operator.

Activations are (1, steps, width) int8 with zero point 0, unless an operator fixes another one. What
a value is in the root of the mean square is kept beside it, so that weights get scales with which
sums neither vanish nor saturate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.frontends.workloads.weights import DENSE_RMS, RandomWeights
from npu.model.activation import Activation
from npu.model.boxes import Box, Piece, simplified
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.operators.binary import Add, Mul, Sub
from npu.model.operators.move import Copy, Reshape
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.rescale import Quantize
from npu.model.operators.ring import CircularBuffer
from npu.model.operators.table import Logistic, Tanh
from npu.model.operators.variable import AssignVariable, ReadVariable
from npu.model.references import Operator

STEP = 1 / 32
"""Scale of an activation of about unit size: -4 to 4."""

HIDDEN_STEP = 1 / 128
"""Scale of what lies between -1 and 1, and of TANH's output."""

HIDDEN_RMS = 0.3

RELU_RMS = 0.7
"""Of what a rectifier leaves of values of about unit size."""


@dataclass(frozen=True)
class Value:
    """An activation: its tensor's index, its shape, and its size as root of the mean square."""

    index: int
    shape: tuple[int, ...]
    rms: float = 1.0

    @property
    def steps(self) -> int:
        return self.shape[1]

    @property
    def width(self) -> int:
        return self.shape[-1]


class GraphBuilder:
    """A graph under construction.

    Parameters
    ----------
    name : of the graph, as errors and reports call it.
    weights : where the weights come from.
    """

    def __init__(self, name: str, weights: RandomWeights) -> None:
        self.name, self.weights = name, weights
        self._tensors: list[Tensor] = []
        self._operators: list[Operator] = []
        self._counts: dict[str, int] = {}

    def graph(self, inputs: Sequence[Value], output: Value) -> Graph:
        """The finished graph of one output."""
        return Graph(
            self.name,
            tuple(self._tensors),
            tuple(self._operators),
            tuple(value.index for value in inputs),
            (output.index,),
        )

    def named(self, kind: str) -> str:
        """A name for the next operator of a kind: "linear 1", "linear 2" ..."""
        self._counts[kind] = number = self._counts.get(kind, 0) + 1
        return f"{kind} {number}"

    def append(self, operator: Operator) -> None:
        """Append an operator whose tensors are there."""
        self._operators.append(operator)

    def tensor(
        self,
        shape: tuple[int, ...],
        scale: float | None = STEP,
        dtype: str = "int8",
        *,
        zero_point: int = 0,
        data: np.ndarray | None = None,
        is_state: bool = False,
    ) -> int:
        """Append a tensor; its index. No scale is no quantisation."""
        own = None
        if scale is not None:
            own = Quantization(np.array([scale], np.float32), zero_point)
        name = f"t{len(self._tensors)}"
        self._tensors.append(Tensor(name, shape, dtype, own, data, is_state))
        return len(self._tensors) - 1

    def value(
        self, shape: tuple[int, ...], scale: float = STEP, rms: float = 1.0, zero_point: int = 0
    ) -> Value:
        """Append an activation."""
        return Value(self.tensor(shape, scale, zero_point=zero_point), shape, rms)

    def scale(self, value: Value) -> float:
        """The scale of an activation."""
        return float(self._quantization(value).scale[0])

    def like(self, source: Value, shape: tuple[int, ...]) -> Value:
        """Append an activation that means the same integers as another one."""
        zero_point = self._quantization(source).zero_point
        return self.value(shape, self.scale(source), source.rms, zero_point)

    def _quantization(self, value: Value) -> Quantization:
        found = self._tensors[value.index].quantization
        assert found is not None, "activations are quantised"
        return found

    # --- weights ---------------------------------------------------------------------------------
    def matrix(self, shape: tuple[int, ...], terms: int, source: Value) -> int:
        """Random weights, a constant; sums of `terms` products with `source` are of about 1."""
        return self.constant(self.weights.matrix(shape), terms, source)

    def constant(self, data: np.ndarray, terms: float, source: Value) -> int:
        """Weights with the scale that `matrix` describes."""
        density = max(int(np.count_nonzero(data)), 1) / data.size
        scale = 1 / (source.rms * DENSE_RMS * float(np.sqrt(max(terms * density, 1))))
        return self.tensor(data.shape, scale, data=data)

    def bias(self, rows: int, source: Value, weights: int, first: float = 0.0) -> int:
        """Zeros, but for the first one, which is of that real value."""
        own = self._tensors[weights].quantization
        assert own is not None, "weights are quantised"
        scale = float(np.float32(self.scale(source)) * own.scale[0])
        data = np.zeros(rows, np.int32)
        data[0] = round(first / scale)
        return self.tensor((rows,), scale, "int32", data=data)

    def given(self, data: np.ndarray, scale: float) -> Value:
        """Constants that an operator takes like an activation, int8; read-only from then on."""
        data.flags.writeable = False
        rms = scale * float(np.sqrt(np.mean(np.square(data, dtype=np.float64))))
        return Value(self.tensor(data.shape, scale, data=data), data.shape, rms)

    # --- operators -------------------------------------------------------------------------------
    def weighted(
        self,
        source: Value,
        rows: int,
        first_bias: float = 0.0,
        data: np.ndarray | None = None,
    ) -> tuple[int, int]:
        """Weights and bias of a product with `source`: random, or `data` (rows, columns) int8."""
        columns = source.width
        if data is None:
            weights = self.matrix((rows, columns), columns, source)
        else:
            weights = self.constant(data, columns, source)
        return weights, self.bias(rows, source, weights, first_bias)

    def product(
        self,
        source: Value,
        weighted: tuple[int, int],
        relu: bool = False,
        name: str = "linear",
        rms: float = 1.0,
    ) -> Value:
        """FULLY_CONNECTED with what `weighted` made; several may take the same.

        rms : of the products, before a rectifier.
        """
        weights, bias = weighted
        shape = (*source.shape[:-1], self._tensors[weights].shape[0])
        made = self.value(shape, STEP * rms, (RELU_RMS if relu else 1.0) * rms)
        fused = Activation.RELU if relu else Activation.NONE
        self.append(
            FullyConnected(self.named(name), source.index, weights, bias, made.index, fused)
        )
        return made

    def linear(
        self,
        source: Value,
        rows: int,
        relu: bool = False,
        name: str = "linear",
        rms: float = 1.0,
    ) -> Value:
        """FULLY_CONNECTED with random weights; `rms` as `product` takes it."""
        weighted = self.weighted(replace(source, rms=source.rms / rms), rows)
        return self.product(source, weighted, relu, name, rms)

    def add(self, a: Value, b: Value, scale: float = STEP, rms: float = 1.0) -> Value:
        """ADD; shapes may be broadcast to that of `a`."""
        made = self.value(a.shape, scale, rms)
        self.append(Add(self.named("add"), a.index, b.index, made.index))
        return made

    def sub(self, a: Value, b: Value, scale: float = STEP, rms: float = 1.0) -> Value:
        """SUB; `b` may be broadcast to the shape of `a`."""
        made = self.value(a.shape, scale, rms)
        self.append(Sub(self.named("sub"), a.index, b.index, made.index))
        return made

    def mul(self, a: Value, b: Value, scale: float = STEP, rms: float = 1.0) -> Value:
        """MUL; shapes may be broadcast to that of `a`."""
        made = self.value(a.shape, scale, rms)
        self.append(Mul(self.named("mul"), a.index, b.index, made.index))
        return made

    def tanh(self, source: Value) -> Value:
        """TANH."""
        made = self.value(source.shape, HIDDEN_STEP, 0.6)
        self.append(Tanh(self.named("tanh"), source.index, made.index))
        return made

    def logistic(self, source: Value) -> Value:
        """LOGISTIC."""
        made = self.value(source.shape, 1 / 256, 0.5, zero_point=-128)
        self.append(Logistic(self.named("logistic"), source.index, made.index))
        return made

    def rescaled(self, source: Value, scale: float) -> Value:
        """QUANTIZE to another scale; the value itself where it has it."""
        if self.scale(source) == scale:
            return source
        made = self.value(source.shape, scale, source.rms)
        self.append(Quantize(self.named("quantize"), source.index, made.index))
        return made

    def reshape(self, source: Value, shape: tuple[int, ...]) -> Value:
        """The same elements under another shape."""
        made = self.like(source, shape)
        self.append(Reshape(self.named("reshape"), source.index, made.index))
        return made

    def copy(self, source: Value, boxes: Sequence[tuple[Box, tuple[int, ...]]]) -> list[Value]:
        """An activation for each box of the source, of that shape."""
        made: list[Value] = []
        pieces: list[Piece] = []
        for number, (box, shape) in enumerate(boxes):
            made.append(self.like(source, shape))
            written = Box(0, box.sizes, Box.whole(box.sizes).strides)
            pieces += simplified(Piece(0, number, box, written))
        outputs = tuple(value.index for value in made)
        self.append(Copy(self.named("copy"), (source.index,), outputs, tuple(pieces)))
        return made

    def split(self, source: Value, parts: int) -> list[Value]:
        """The last axis in equal parts."""
        width = source.width // parts
        axis = len(source.shape) - 1
        whole = Box.whole(source.shape)
        shape = (*source.shape[:-1], width)
        return self.copy(
            source, [(whole.cut(axis, part * width, width), shape) for part in range(parts)]
        )

    def step(self, source: Value, index: int) -> Value:
        """One step of several."""
        if source.steps == 1:
            return source
        box = Box.whole(source.shape).cut(1, index, 1)
        return self.copy(source, [(box, (1, 1, source.width))])[0]

    def joined(self, values: Sequence[Value], axis: int) -> Value:
        """Activations of one quantisation one behind the other along an axis."""
        if len(values) == 1:
            return values[0]
        size = sum(value.shape[axis] for value in values)
        shape = list(values[0].shape)
        shape[axis] = size
        made = self.like(values[0], tuple(shape))
        pieces: list[Piece] = []
        at = 0
        for number, value in enumerate(values):
            written = Box.whole(made.shape).cut(axis, at, value.shape[axis])
            pieces += simplified(Piece(number, 0, Box.whole(value.shape), written))
            at += value.shape[axis]
        inputs = tuple(value.index for value in values)
        self.append(Copy(self.named("concatenation"), inputs, (made.index,), tuple(pieces)))
        return made

    # --- what lasts ------------------------------------------------------------------------------
    def state(self, shape: tuple[int, ...], scale: float, dtype: str = "int8") -> int:
        """A state, zero after a reset."""
        return self.tensor(shape, scale, dtype, is_state=True)

    def read(self, variable: int, shape: tuple[int, ...], scale: float, rms: float) -> Value:
        """READ_VARIABLE."""
        made = self.value(shape, scale, rms)
        self.append(ReadVariable(self.named("read"), variable, made.index))
        return made

    def assign(self, variable: int, value: Value) -> None:
        """ASSIGN_VARIABLE."""
        self.append(AssignVariable(self.named("assign"), variable, value.index))

    def ring(self, source: Value, steps: int) -> Value:
        """The last `steps` steps, the oldest first; zeros after a reset."""
        shape = (1, steps, source.width)
        scale = self.scale(source)
        made = self.value(shape, scale, source.rms)
        count = self.tensor((1,), None, "int32", is_state=True)
        self.append(
            CircularBuffer(
                self.named("ring"), source.index, self.state(shape, scale), count, made.index
            )
        )
        return made

    def lstm(self, source: Value, units: int) -> Value:
        """UNIDIRECTIONAL_SEQUENCE_LSTM over all steps."""
        made = self.value((1, source.steps, units), HIDDEN_STEP, HIDDEN_RMS)
        inner = [self.matrix((units, source.width), source.width, source) for _ in range(4)]
        biases = [self.bias(units, source, weights) for weights in inner]
        recurrent = [self.matrix((units, units), units, made) for _ in range(4)]
        self.append(
            Lstm(
                self.named("lstm"),
                source.index,
                _four(inner),
                _four(recurrent),
                _four(biases),
                self.state((1, units), HIDDEN_STEP),
                self.state((1, units), 2.0**-11, "int16"),
                made.index,
            )
        )
        return made


def _four(gates: Sequence[int]) -> tuple[int, int, int, int]:
    i, f, g, o = gates
    return i, f, g, o
