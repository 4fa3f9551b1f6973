"""Broadcasting: tensors of different shapes that are read as if they had one.

Dimensions are matched from the last one on; one that is 1, or not there, is repeated. So it is in
NumPy, and in TensorFlow Lite Micro up to `npu.model.graph.MAX_RANK` dimensions.
"""

from npu.errors import ModelError
from npu.model.rules import require


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The one shape that all of these are read in.

    Raises
    ------
    ModelError
        If a dimension differs and is not 1.
    """
    rank = max(len(shape) for shape in shapes)
    columns = zip(*(extended(shape, rank) for shape in shapes), strict=True)
    common = []
    for column in columns:
        sizes = set(column) - {1}
        if len(sizes) > 1:
            found = " and ".join(str(list(shape)) for shape in shapes)
            raise ModelError(f"its shapes {found} cannot be broadcast to one")
        common.append(sizes.pop() if sizes else 1)
    return tuple(common)


def extended(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """A shape with ones in front, so that it has `rank` dimensions."""
    return (1,) * (rank - len(shape)) + tuple(shape)


def broadcast_strides(shape: tuple[int, ...], common: tuple[int, ...]) -> tuple[int, ...]:
    """How many elements of a tensor a step along each dimension of the common shape skips.

    Parameters
    ----------
    shape : of the tensor, which lies in row-major order
    common : a shape that it is broadcast to, of at least as many dimensions

    Returns
    -------
    one stride for each dimension of `common`; 0 where the tensor is repeated
    """
    strides = []
    step = 1
    for size in reversed(extended(shape, len(common))):
        strides.append(0 if size == 1 else step)
        step *= size
    return tuple(reversed(strides))


def require_broadcast(output: tuple[int, ...], *operands: tuple[int, ...]) -> None:
    """Raise ModelError unless the operands are broadcast to the output, ones in front aside."""
    common = broadcast_shape(*operands)
    rank = max(len(common), len(output))
    require(
        extended(common, rank) == extended(output, rank),
        f"its output must be {list(common)}, not {list(output)}",
    )
