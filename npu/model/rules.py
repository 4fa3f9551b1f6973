"""Rules that many operators share: what tensors must be. Each raises ModelError with one line."""

from npu.errors import ModelError
from npu.model.graph import Graph, Tensor, quantization


def require(condition: bool, message: str) -> None:
    """Raise ModelError unless `condition` holds."""
    if not condition:
        raise ModelError(message)


def activation(graph: Graph, index: int, what: str, dtype: str = "int8") -> Tensor:
    """A tensor of type `dtype` with one scale and a zero point."""
    tensor = graph.tensors[index]
    require(tensor.dtype == dtype, f"its {what} must be {dtype}, not {tensor.dtype}")
    require(
        tensor.quantization is not None and tensor.quantization.per_tensor,
        f"its {what} must be quantised with one scale",
    )
    return tensor


def matrix(graph: Graph, index: int, what: str) -> Tensor:
    """A quantised int8 matrix with one scale, or one a row; constant or not."""
    tensor = graph.tensors[index]
    require(
        tensor.dtype == "int8" and len(tensor.shape) == 2 and tensor.size > 0,
        f"its {what} must be an int8 matrix, not {tensor.dtype} {list(tensor.shape)}",
    )
    require(tensor.quantization is not None, f"its {what} must be quantised")
    scales = quantization(tensor)
    require(
        scales.per_tensor or scales.axis == 0,
        f"the scales of its {what} must belong to rows, not to axis {scales.axis}",
    )
    return tensor


def weights(graph: Graph, index: int, what: str) -> Tensor:
    """A matrix that is constant."""
    tensor = matrix(graph, index, what)
    require(tensor.is_constant, f"its {what} must be constant")
    return tensor


def bias(graph: Graph, index: int | None, rows: int, computed: bool = False) -> None:
    """An int32 for each row, a constant unless it may be `computed`, or none at all."""
    if index is not None:
        tensor = graph.tensors[index]
        what = "int32" if computed else "a constant int32"
        require(
            (computed or tensor.is_constant)
            and tensor.dtype == "int32"
            and tensor.shape == (rows,),
            f"its bias must be {what} [{rows}], not {tensor.dtype} {list(tensor.shape)}",
        )


def same_shapes(*tensors: Tensor) -> None:
    """Tensors of one shape."""
    shapes = [str(list(tensor.shape)) for tensor in tensors]
    require(
        len(set(shapes)) == 1,
        f"its shapes must be equal, not {', '.join(shapes[:-1])} and {shapes[-1]}",
    )


def unary(graph: Graph, source: int, output: int) -> None:
    """An int8 activation becomes another of the same shape."""
    same_shapes(activation(graph, source, "input"), activation(graph, output, "output"))


def same_quantization(one: Tensor, other: Tensor, what: str) -> None:
    """Two quantised tensors in which every integer means the same."""
    require(quantization(one).same_as(other.quantization), f"{what} must be quantised alike")
