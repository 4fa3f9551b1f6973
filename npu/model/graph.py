"""The quantised graph: what a front end produces, and what kernels and compiler read.

Pure data. Operators name their tensors by index into `Graph.tensors` and stand in the order in
which they run. `verify` is the one place that says what a legal graph is; code after it may rely
on every shape, type and quantisation it checks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np

from npu.errors import ModelError

DTYPE_RANGES = {
    "int8": (-(1 << 7), (1 << 7) - 1),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
}
"""Element types of a graph, with their smallest and largest value."""

MAX_ELEMENTS = 1 << 24
"""Most elements of all activations and states; a claim beyond it is damage, not a model for a
chip like this."""

MAX_RANK = 8


@dataclass(frozen=True, eq=False)
class Quantization:
    """`real = scale * (q - zero_point)`.

    Attributes
    ----------
    scale : (1,) or (rows,) float32; more than one entry means one scale per index of `axis`
    zero_point : the integer that stands for 0.0
    axis : the dimension that several scales belong to
    """

    scale: np.ndarray
    zero_point: int
    axis: int = 0

    @property
    def per_tensor(self) -> bool:
        """Whether one scale serves the whole tensor."""
        return len(self.scale) == 1

    def same_as(self, other: "Quantization | None") -> bool:
        """Whether both give every integer the same meaning."""
        return (
            other is not None
            and np.array_equal(self.scale, other.scale)
            and self.zero_point == other.zero_point
        )


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a graph.

    Attributes
    ----------
    dtype : "int8", "int16" or "int32"
    data : constant contents of shape `shape`, read-only; None for what is computed
    is_state : whether the contents survive from one call to the next
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    data: np.ndarray | None
    is_state: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_constant(self) -> bool:
        """Whether the contents are part of the model."""
        return self.data is not None


class Activation(StrEnum):
    """A clamp fused into an operator."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"


@dataclass(frozen=True)
class FullyConnected:
    """`output[..., r] = activation(weights[r] . input[...] + bias[r])`, row by row of the input."""

    name: str
    input: int
    weights: int
    bias: int | None
    output: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Lstm:
    """A layer of LSTM cells over a (1, time, features) sequence; gates in the order i, f, g, o.

    `cell_clip` limits the real value of the cell state; 0 means no limit.
    """

    name: str
    input: int
    input_weights: tuple[int, int, int, int]
    recurrent_weights: tuple[int, int, int, int]
    biases: tuple[int | None, int | None, int | None, int | None]
    hidden_state: int
    cell_state: int
    output: int
    cell_clip: float = 0.0


@dataclass(frozen=True)
class Gather:
    """`output[...] = table[indices[...]]`: whole rows of a constant table."""

    name: str
    table: int
    indices: int
    output: int


@dataclass(frozen=True)
class Add:
    """`output = activation(a + b)`, element by element, shapes equal."""

    name: str
    a: int
    b: int
    output: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Mul:
    """`output = activation(a * b)`, element by element, shapes equal."""

    name: str
    a: int
    b: int
    output: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Tanh:
    """Hyperbolic tangent; the output has scale 1/128 and zero point 0."""

    name: str
    input: int
    output: int


@dataclass(frozen=True)
class Logistic:
    """1 / (1 + exp(-x)); the output has scale 1/256 and zero point -128."""

    name: str
    input: int
    output: int


@dataclass(frozen=True)
class Relu:
    """max(x, 0), requantised to the output's scale."""

    name: str
    input: int
    output: int


@dataclass(frozen=True)
class Relu6:
    """min(max(x, 0), 6); input and output share one quantisation."""

    name: str
    input: int
    output: int


@dataclass(frozen=True)
class Reshape:
    """The same elements in the same order under another shape."""

    name: str
    input: int
    output: int


@dataclass(frozen=True)
class Quantize:
    """The same real values under another quantisation."""

    name: str
    input: int
    output: int


Operator = (
    FullyConnected | Lstm | Gather | Add | Mul | Tanh | Logistic | Relu | Relu6 | Reshape | Quantize
)


@dataclass(frozen=True, eq=False)
class Graph:
    """A quantised model. `inputs` and `outputs` are tensor indices in calling order."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


_NOT_INPUTS = {"name", "output", "activation", "cell_clip"}


def operator_inputs(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` reads, in field order: constants and states too, absent ones left out."""
    found: list[int] = []
    for field in fields(op):
        if field.name not in _NOT_INPUTS:
            value = getattr(op, field.name)
            found += [i for i in (value if isinstance(value, tuple) else (value,)) if i is not None]
    return tuple(found)


def operator_outputs(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` computes. An LSTM also updates its two states in place."""
    return (op.output,)


def verify(graph: Graph) -> None:
    """Refuse anything that is not a legal quantised graph.

    Raises
    ------
    ModelError
        One line that names the graph, the operator or tensor, and what is wrong with it.
    """
    try:
        _verify_tensors(graph)
        _verify_order(graph)
        for op in graph.operators:
            try:
                _RULES[type(op)](graph, op)
            except ModelError as error:
                raise ModelError(f"{op.name}: {error}") from None
    except ModelError as error:
        raise ModelError(f"{graph.name}: {error}") from None


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ModelError(message)


def _label(graph: Graph, index: int) -> str:
    return f"tensor {index} ({graph.tensors[index].name!r:.60})"


def _verify_tensors(graph: Graph) -> None:
    for index, tensor in enumerate(graph.tensors):
        try:
            _verify_tensor(tensor)
        except ModelError as error:
            raise ModelError(f"{_label(graph, index)}: {error}") from None
    elements = sum(tensor.size for tensor in graph.tensors if not tensor.is_constant)
    _require(
        elements <= MAX_ELEMENTS,
        f"its activations must have at most {MAX_ELEMENTS} elements in all, not {elements}",
    )


def _verify_tensor(tensor: Tensor) -> None:
    _require(
        tensor.dtype in DTYPE_RANGES,
        f"its type must be one of {', '.join(DTYPE_RANGES)}, not {tensor.dtype}",
    )
    _require(
        len(tensor.shape) <= MAX_RANK,
        f"it must have at most {MAX_RANK} dimensions, not {len(tensor.shape)}",
    )
    _require(
        all(d > 0 for d in tensor.shape),
        f"its dimensions must be positive, not {list(tensor.shape)}",
    )
    if tensor.data is not None:
        _require(not tensor.is_state, "a state must not be a constant")
        _require(
            tensor.data.shape == tensor.shape and tensor.data.dtype == tensor.dtype,
            f"its contents must be {tensor.dtype} {list(tensor.shape)}, "
            f"not {tensor.data.dtype} {list(tensor.data.shape)}",
        )
    if tensor.quantization is not None:
        _verify_quantization(tensor, tensor.quantization)


def _verify_quantization(tensor: Tensor, quantization: Quantization) -> None:
    scale = quantization.scale
    _require(
        isinstance(scale, np.ndarray) and scale.dtype == np.float32 and scale.ndim == 1,
        "its scales must be a float32 vector",
    )
    _require(
        len(scale) > 0 and bool(np.all(np.isfinite(scale))) and bool(np.all(scale > 0)),
        f"its scales must be finite and positive, not {scale[:4].tolist()}",
    )
    lo, hi = DTYPE_RANGES[tensor.dtype]
    _require(
        lo <= quantization.zero_point <= hi,
        f"its zero point must be {lo} to {hi}, not {quantization.zero_point}",
    )
    if not quantization.per_tensor:
        axis = quantization.axis
        _require(
            0 <= axis < len(tensor.shape) and tensor.shape[axis] == len(scale),
            f"its {len(scale)} scales do not fit axis {axis} of shape {list(tensor.shape)}",
        )


def _verify_order(graph: Graph) -> None:
    """Indices in range; everything read is known; nothing written twice."""

    def in_range(index: int, what: str) -> None:
        _require(
            0 <= index < len(graph.tensors),
            f"{what} must be a tensor index below {len(graph.tensors)}, not {index}",
        )

    _require(len(graph.inputs) > 0, "it has no inputs")
    _require(len(graph.outputs) > 0, "it has no outputs")
    known = {i for i, t in enumerate(graph.tensors) if t.is_constant or t.is_state}
    states: set[int] = set()
    for index in graph.inputs:
        in_range(index, "an input")
        _require(index not in known, f"{_label(graph, index)} must not be an input twice, or fixed")
        known.add(index)
    for op in graph.operators:
        for index in operator_inputs(op):
            in_range(index, f"{op.name}: an input")
            _require(
                index in known, f"{op.name}: {_label(graph, index)} is read before it is computed"
            )
        for index in operator_outputs(op):
            in_range(index, f"{op.name}: the output")
            _require(index not in known, f"{op.name}: {_label(graph, index)} is written twice")
            known.add(index)
        if isinstance(op, Lstm):
            for index in (op.hidden_state, op.cell_state):
                _require(
                    graph.tensors[index].is_state and index not in states,
                    f"{op.name}: {_label(graph, index)} must be a state of this operator alone",
                )
                states.add(index)
        else:
            for index in operator_inputs(op):
                _require(
                    not graph.tensors[index].is_state,
                    f"{op.name}: {_label(graph, index)} is a state; only an LSTM may read it",
                )
    for index in graph.outputs:
        in_range(index, "an output")
        _require(index in known, f"output {_label(graph, index)} is never computed")
        _require(
            not graph.tensors[index].is_state, f"output {_label(graph, index)} must not be a state"
        )


def _activation(graph: Graph, index: int, what: str, dtype: str = "int8") -> Tensor:
    """A tensor of type `dtype` with one scale and a zero point."""
    tensor = graph.tensors[index]
    _require(tensor.dtype == dtype, f"its {what} must be {dtype}, not {tensor.dtype}")
    _require(
        tensor.quantization is not None and tensor.quantization.per_tensor,
        f"its {what} must be quantised with one scale",
    )
    return tensor


def _quantization(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None
    return tensor.quantization


def _weights(graph: Graph, index: int, what: str) -> Tensor:
    """A constant int8 matrix without zero point."""
    tensor = graph.tensors[index]
    _require(
        tensor.is_constant and tensor.dtype == "int8" and len(tensor.shape) == 2,
        f"its {what} must be a constant int8 matrix, not {tensor.dtype} {list(tensor.shape)}",
    )
    _require(tensor.quantization is not None, f"its {what} must be quantised")
    quantization = _quantization(tensor)
    _require(
        quantization.zero_point == 0,
        f"the zero point of its {what} must be 0, not {quantization.zero_point}",
    )
    _require(
        quantization.per_tensor or quantization.axis == 0,
        f"the scales of its {what} must belong to rows, not to axis {quantization.axis}",
    )
    return tensor


def _bias(graph: Graph, index: int | None, rows: int) -> None:
    if index is not None:
        tensor = graph.tensors[index]
        _require(
            tensor.is_constant and tensor.dtype == "int32" and tensor.shape == (rows,),
            f"its bias must be a constant int32 [{rows}], not {tensor.dtype} {list(tensor.shape)}",
        )


def _verify_fully_connected(graph: Graph, op: FullyConnected) -> None:
    source = _activation(graph, op.input, "input")
    output = _activation(graph, op.output, "output")
    rows, columns = _weights(graph, op.weights, "weights").shape
    _bias(graph, op.bias, rows)
    _require(
        source.size % columns == 0,
        f"its input {list(source.shape)} must hold whole vectors of {columns}",
    )
    # TFLM takes the number of vectors from the output, and the last dimension as one vector.
    _require(
        len(output.shape) > 0
        and output.shape[-1] == rows
        and output.size == source.size // columns * rows,
        f"its output {list(output.shape)} does not fit input {list(source.shape)} and "
        f"weights {[rows, columns]}",
    )


def _verify_lstm(graph: Graph, op: Lstm) -> None:
    source = _activation(graph, op.input, "input")
    output = _activation(graph, op.output, "output")
    hidden = _activation(graph, op.hidden_state, "hidden state")
    cell = _activation(graph, op.cell_state, "cell state", "int16")
    _require(
        len(source.shape) == 3 and source.shape[0] == 1,
        f"its input must be [1, time, features], not {list(source.shape)}",
    )
    _, time, features = source.shape
    units = output.shape[-1] if output.shape else 0
    _require(
        output.shape == (1, time, units),
        f"its output must be [1, {time}, units], not {list(output.shape)}",
    )
    for what, state in (("hidden", hidden), ("cell", cell)):
        _require(
            state.shape == (1, units),
            f"its {what} state must be [1, {units}], not {list(state.shape)}",
        )
    _require(
        _quantization(cell).zero_point == 0,
        f"the zero point of its cell state must be 0, not {_quantization(cell).zero_point}",
    )
    _require(
        _quantization(output).same_as(hidden.quantization),
        "its output and its hidden state must be quantised alike",
    )
    for gate, w, r, b in zip(
        "ifgo", op.input_weights, op.recurrent_weights, op.biases, strict=True
    ):
        for what, index, columns in (("input", w, features), ("recurrent", r, units)):
            what = f"{what} weights of gate {gate}"
            weights = _weights(graph, index, what)
            _require(
                weights.shape == (units, columns),
                f"its {what} must be [{units}, {columns}], not {list(weights.shape)}",
            )
            _require(
                _quantization(weights).per_tensor,
                f"its {what} must have one scale in all",
            )
        _bias(graph, b, units)
    _require(
        math.isfinite(op.cell_clip) and op.cell_clip >= 0,
        f"its cell clip must be finite and not negative, not {op.cell_clip}",
    )


def _verify_gather(graph: Graph, op: Gather) -> None:
    table = _activation(graph, op.table, "table")
    indices = graph.tensors[op.indices]
    output = _activation(graph, op.output, "output")
    _require(
        table.is_constant and len(table.shape) == 2,
        f"its table must be a constant matrix, not {list(table.shape)}",
    )
    _require(indices.dtype == "int32", f"its indices must be int32, not {indices.dtype}")
    _require(
        output.shape == indices.shape + table.shape[1:],
        f"its output must be {list(indices.shape + table.shape[1:])}, not {list(output.shape)}",
    )
    _require(
        _quantization(output).same_as(table.quantization),
        "its output and its table must be quantised alike",
    )


def _verify_binary(graph: Graph, op: Add | Mul) -> None:
    a = _activation(graph, op.a, "first input")
    b = _activation(graph, op.b, "second input")
    output = _activation(graph, op.output, "output")
    _require(
        a.shape == b.shape == output.shape,
        f"its shapes must be equal, not {list(a.shape)}, {list(b.shape)} and {list(output.shape)}",
    )


def _verify_unary(graph: Graph, op: Tanh | Logistic | Relu | Relu6 | Quantize) -> None:
    source = _activation(graph, op.input, "input")
    output = _activation(graph, op.output, "output")
    _require(
        source.shape == output.shape,
        f"its shapes must be equal, not {list(source.shape)} and {list(output.shape)}",
    )


def _verify_fixed_output(
    denominator: int, zero_point: int
) -> Callable[[Graph, Tanh | Logistic], None]:
    def rule(graph: Graph, op: Tanh | Logistic) -> None:
        _verify_unary(graph, op)
        quantization = _quantization(graph.tensors[op.output])
        _require(
            float(quantization.scale[0]) == 1 / denominator
            and quantization.zero_point == zero_point,
            f"its output must have scale 1/{denominator} and zero point {zero_point}, "
            f"not {quantization.scale[0]} and {quantization.zero_point}",
        )

    return rule


def _verify_relu6(graph: Graph, op: Relu6) -> None:
    _verify_unary(graph, op)
    _require(
        _quantization(graph.tensors[op.input]).same_as(graph.tensors[op.output].quantization),
        "its input and its output must be quantised alike",
    )


def _verify_reshape(graph: Graph, op: Reshape) -> None:
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    _require(
        source.dtype == output.dtype,
        f"its types must be equal, not {source.dtype} and {output.dtype}",
    )
    _require(
        source.size == output.size,
        f"its shapes must hold equally many elements, not {list(source.shape)} and "
        f"{list(output.shape)}",
    )
    _require(
        source.quantization is output.quantization is None
        or (source.quantization is not None and source.quantization.same_as(output.quantization)),
        "its input and its output must be quantised alike",
    )


_RULES: dict[type, Callable] = {
    FullyConnected: _verify_fully_connected,
    Lstm: _verify_lstm,
    Gather: _verify_gather,
    Add: _verify_binary,
    Mul: _verify_binary,
    Tanh: _verify_fixed_output(128, 0),
    Logistic: _verify_fixed_output(256, -128),
    Relu: _verify_unary,
    Relu6: _verify_relu6,
    Reshape: _verify_reshape,
    Quantize: _verify_unary,
}
