"""Products of a matrix with vectors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from npu.errors import ModelError
from npu.model import quantisation
from npu.model.activation import Activation
from npu.model.graph import Graph, Quantization, Tensor, quantization
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.model.quantisation import activation_range, place, scale
from npu.model.references import Operand, Operator, Result
from npu.model.rules import activation, bias, matrix, require

_BIAS_SCALE_TOLERANCE = 0.02


@dataclass(frozen=True)
class FullyConnected(Operator):
    """`output[..., r] = activation(weights[r] . input[...] + bias[r])`, row by row of the input.

    Weights and bias are constants, or computed like the input.
    """

    input: Operand
    weights: Operand
    bias: Operand | None
    output: Result
    activation: Activation = Activation.NONE


@dataclass(frozen=True, eq=False)
class MatVecParams:
    """Requantisation of a matrix-vector product.

    Attributes
    ----------
    multipliers, shifts : (rows,) int32, see `numerics.multiply_by_quantized_multiplier`
    lo, hi : the output's clamp, its type's range or a fused activation's
    weights_zero_point : what is subtracted from every weight
    """

    multipliers: np.ndarray
    shifts: np.ndarray
    input_zero_point: int
    output_zero_point: int
    lo: int
    hi: int
    weights_zero_point: int = 0


def in_int8_parts(
    matrices: Sequence[np.ndarray], zero_points: Sequence[int]
) -> list[list[np.ndarray]]:
    """int8 matrices less their zero points, each as the sum of as many int8 ones.

    One where there are no zero points; else they take nine bits: two, three for a 255.
    """
    left = [m.astype(np.int16) - zero for m, zero in zip(matrices, zero_points, strict=True)]
    parts: list[list[np.ndarray]] = [[] for _ in left]
    while not parts[0] or any(rest.any() for rest in left):
        for rest, found in zip(left, parts, strict=True):
            found.append(np.clip(rest, INT8_MIN, INT8_MAX).astype(np.int8))
            rest -= found[-1]
    return parts


def verify(graph: Graph, op: FullyConnected) -> None:
    """Whole vectors in, one vector of rows out for each."""
    source = activation(graph, op.input, "input")
    output = activation(graph, op.output, "output")
    rows, columns = matrix(graph, op.weights, "weights").shape
    bias(graph, op.bias, rows, computed=True)
    require(
        source.size % columns == 0,
        f"its input {list(source.shape)} must hold whole vectors of {columns}",
    )
    # TFLM takes the number of vectors from the output, and the last dimension as one vector.
    require(
        len(output.shape) > 0
        and output.shape[-1] == rows
        and output.size == source.size // columns * rows,
        f"its output {list(output.shape)} does not fit input {list(source.shape)} and "
        f"weights {[rows, columns]}",
    )


def fully_connected_params(graph: Graph, op: FullyConnected) -> MatVecParams:
    """Parameters of a FULLY_CONNECTED.

    Raises
    ------
    ModelError
        If the scales cannot be expressed, or a bias' scale is not that of the products.
    """
    where = place(graph, op)
    source, weights, output = (graph.tensors[i] for i in (op.input, op.weights, op.output))
    own = quantization(weights)
    if op.bias is not None and own.per_tensor:
        _check_bias_scale(graph, op, where)
    params = matvec_params(
        quantization(source),
        weights,
        quantization(output),
        activation_range(op.activation, output, where),
        where,
        once=graph.rounds_once,
    )
    # TFLM takes no zero point from weights with a scale for each row.
    return replace(params, weights_zero_point=own.zero_point) if own.per_tensor else params


def matvec_params(
    source: Quantization,
    weights: Tensor,
    output: Quantization,
    clamp: tuple[int, int],
    where: str,
    axis: int = 0,
    once: bool = False,
) -> MatVecParams:
    """Those of a product of weights with vectors of one quantisation, to another, within `clamp`.

    There is a row of weights for each index of `axis`; their zero point is not taken. `once` as of
    a graph's `rounds_once`.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    scales = quantization(weights)
    # In double, per tensor too. The C++ source writes the per-tensor product in float32, but the
    # pinned oracle answers as if in double, and the last bit of a multiplier shows in outputs.
    pairs = [
        quantisation.multiplier(
            float(source.scale[0]) * float(each) / float(output.scale[0]), where, once
        )
        for each in scales.scale
    ]
    if scales.per_tensor:
        pairs *= weights.shape[axis]
    multipliers, shifts = np.array(pairs, np.int32).T.copy()
    return MatVecParams(
        multipliers, shifts, source.zero_point, output.zero_point, clamp[0], clamp[1]
    )


def _check_bias_scale(graph: Graph, op: FullyConnected, where: str) -> None:
    assert op.bias is not None
    source, matrix, output = (
        float(scale(graph.tensors[i])) for i in (op.input, op.weights, op.output)
    )
    product = source * matrix
    own = graph.tensors[op.bias].quantization
    found = 0.0 if own is None else float(own.scale[0])
    if abs(product - found) / output > _BIAS_SCALE_TOLERANCE:
        raise ModelError(
            f"{where}: the scale of its bias must be that of its products, {product!r}, "
            f"not {found!r}"
        )


RULES = {FullyConnected: verify}
PARAMETERS = {FullyConnected: fully_connected_params}
