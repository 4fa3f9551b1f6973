"""A model with its weights pruned or rounded further: what sparser or coarser weights would cost.

Nothing is trained again. How long a model takes and what its weights weigh is then that of a model
trained so; its answers, and its accuracy, are not.
"""

from dataclasses import dataclass, replace

import numpy as np

from compiler import Model
from npu.model.graph import Graph, Tensor
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D, TransposeConv
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.svdf import Svdf
from npu.model.references import Operator

MIN_BITS, MAX_BITS = 2, 8

UNTRAINED = "Weights pruned or rounded without training: accuracy is not that of the trained model"


@dataclass(frozen=True)
class Thinning:
    """What is done to every matrix of int8 weights.

    Attributes
    ----------
    sparsity : share of zeros at least, 0 to 1: the smallest weights are pruned. None: as they are.
    bits : 2 to 8: weights become the nearest of 2**bits evenly spaced ones. None: as they are.
    """

    sparsity: float | None = None
    bits: int | None = None

    def __post_init__(self) -> None:
        if self.sparsity is not None and not 0 <= self.sparsity <= 1:
            raise ValueError(f"sparsity must be 0 to 1, not {self.sparsity}")
        if self.bits is not None and not MIN_BITS <= self.bits <= MAX_BITS:
            raise ValueError(f"bits must be {MIN_BITS} to {MAX_BITS}, not {self.bits}")

    @property
    def changes(self) -> bool:
        """Whether weights may be others."""
        return bool(self.sparsity) or self.bits not in (None, MAX_BITS)

    def of(self, model: Model) -> Model:
        """The model with thinner weights."""
        if not self.changes:
            return model
        return replace(model, graphs={r: self._graph(g) for r, g in model.graphs.items()})

    def weights(self, weights: np.ndarray, zero_point: int = 0) -> np.ndarray:
        """weights : int8 of any shape, `zero_point` stands for 0. Pruned first, then rounded."""
        values = weights.astype(np.int16) - zero_point
        if self.sparsity is not None:
            values = _pruned(values, self.sparsity)
        if self.bits is not None:
            values = _rounded(values, self.bits)
        return np.clip(values + zero_point, -128, 127).astype(np.int8)

    def _graph(self, graph: Graph) -> Graph:
        wanted = {i for op in graph.operators for i in weights_of(op)}
        tensors = [
            self._tensor(tensor) if index in wanted else tensor
            for index, tensor in enumerate(graph.tensors)
        ]
        return replace(graph, tensors=tuple(tensors))

    def _tensor(self, tensor: Tensor) -> Tensor:
        if tensor.data is None or tensor.dtype != "int8":
            return tensor
        zero = 0 if tensor.quantization is None else tensor.quantization.zero_point
        data = self.weights(tensor.data, zero)
        data.flags.writeable = False
        return replace(tensor, data=data)


def weights_of(op: Operator) -> tuple[int, ...]:
    """The tensors of an operator's weight matrices."""
    match op:
        case FullyConnected() | Conv2D() | DepthwiseConv2D() | TransposeConv():
            return (op.weights,)
        case Lstm():
            return (*op.input_weights, *op.recurrent_weights)
        case Svdf():
            return (op.feature_weights,)
    return ()


def _pruned(values: np.ndarray, sparsity: float) -> np.ndarray:
    """The smallest ones zero, of equal ones those that come first."""
    zeros = int(np.ceil(sparsity * values.size))
    found = values.copy()
    found.ravel()[np.argsort(np.abs(values), axis=None, kind="stable")[:zeros]] = 0
    return found


def _rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """The nearest multiples of 2**(8 - bits), halves to even ones, that `bits` hold."""
    step, half = 1 << (MAX_BITS - bits), 1 << (bits - 1)
    if step == 1:
        return values
    return (np.clip(np.rint(values / step), -half, half - 1) * step).astype(values.dtype)
