"""The quantised graph: what a front end produces, and what kernels and compiler read.

Pure data. Operators name their tensors by index into `Graph.tensors` and stand in the order in
which they run; what they are stands in `npu.model.operators`. `npu.model.verify` is the one place
that says what a legal graph is; code after it may rely on every shape, type and quantisation it
checks.
"""

import math
from dataclasses import dataclass

import numpy as np

from npu.model.references import Operator

DTYPE_RANGES = {
    "int8": (-(1 << 7), (1 << 7) - 1),
    "uint8": (0, (1 << 8) - 1),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}
"""Integer types of elements, with their smallest and largest value."""

DTYPES = (*DTYPE_RANGES, "float32", "bool")
"""Element types of a graph. Real numbers stand at its borders; each operator's rules say which of
them it takes."""

MAX_ELEMENTS = 1 << 24
"""Most elements of a variable, and of what is worked out while a file is read."""

MAX_ACTIVATIONS = 1 << 27
"""Most elements of all activations and states; a claim beyond it is damage. Not all live at once,
so a chip may hold a model of which all of them are more than its memory."""

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
    dtype : one of `DTYPES`
    data : constant contents of shape `shape`, read-only; None for what is computed
    is_state : whether the contents survive from one call to the next
    initial : of a state, what it holds after a reset; None for real zero
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    data: np.ndarray | None
    is_state: bool = False
    initial: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_constant(self) -> bool:
        """Whether the contents are part of the model."""
        return self.data is not None


@dataclass(frozen=True, eq=False)
class Graph:
    """A quantised model. `inputs` and `outputs` are tensor indices in calling order.

    rounds_once : products are rescaled with one rounding, as ONNX's specification has it, where
        TFLM rounds twice (`numerics.quantize_multiplier`). ONNX rounds ties to even, this does
        not.
    """

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    rounds_once: bool = False


def quantization(tensor: Tensor) -> Quantization:
    """The quantisation of a tensor that the rules of its operator require to have one."""
    assert tensor.quantization is not None, "verify() the graph first"
    return tensor.quantization
