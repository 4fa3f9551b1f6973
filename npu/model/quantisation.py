"""The integer parameters of each operator, derived from its float scales as TFLM derives them.

Source of method: `fully_connected_common.cc`, `lstm_eval_common.cc`, `add_common.cc`,
`mul_common.cc`, `activations_common.cc` and `quantize_common.cc` of TensorFlow Lite Micro. Whether
scales meet in float32 or in double decides the last bit of a multiplier. Measured on the pinned
oracle: multipliers in double throughout, the bounds of fused activations and of RELU6 in float32.
Kernels and compiler both take their numbers from here. Graphs must have passed
`npu.model.graph.verify`. Where TFLM aborts or is undefined, these functions raise `ModelError`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from npu.errors import ModelError
from npu.model import numerics
from npu.model.graph import (
    DTYPE_RANGES,
    Activation,
    Add,
    FullyConnected,
    Graph,
    Logistic,
    Lstm,
    Mul,
    Operator,
    Quantization,
    Quantize,
    Relu,
    Relu6,
    Tanh,
    Tensor,
)


@dataclass(frozen=True, eq=False)
class MatVecParams:
    """Requantisation of a matrix-vector product.

    Attributes
    ----------
    multipliers, shifts : (rows,) int32, see `numerics.multiply_by_quantized_multiplier`
    lo, hi : the output's clamp, its type's range or a fused activation's
    """

    multipliers: np.ndarray
    shifts: np.ndarray
    input_zero_point: int
    output_zero_point: int
    lo: int
    hi: int


@dataclass(frozen=True)
class AddParams:
    """Arguments of `numerics.add_affine`, in its order after the operands."""

    a_zero_point: int
    a_multiplier: int
    a_shift: int
    b_zero_point: int
    b_multiplier: int
    b_shift: int
    multiplier: int
    shift: int
    output_zero_point: int
    lo: int
    hi: int


@dataclass(frozen=True)
class MulParams:
    """Arguments of `numerics.mul_affine`, in its order after the operands."""

    a_zero_point: int
    b_zero_point: int
    multiplier: int
    shift: int
    output_zero_point: int
    lo: int
    hi: int


@dataclass(frozen=True)
class RescaleParams:
    """`requantize(q - input_zero_point, 0, multiplier, shift, output_zero_point, lo, hi)`."""

    multiplier: int
    shift: int
    input_zero_point: int
    output_zero_point: int
    lo: int
    hi: int


@dataclass(frozen=True, eq=False)
class LstmParams:
    """Everything that an LSTM step needs besides weights and biases; gates in the order i, f, g, o.

    Attributes
    ----------
    input, recurrent : per gate, products to int16 Q3.12
    forget_mul : forget gate times cell state, to cell state
    input_mul : input gate times cell gate, to cell state
    output_mul : tanh of the cell state times output gate, to int8 hidden state
    sigmoid, gate_tanh, cell_tanh : (multiplier, shift) of the table functions
    cell_clip : limit of |cell state| as an int16, 0 for none
    """

    input: tuple[MatVecParams, MatVecParams, MatVecParams, MatVecParams]
    recurrent: tuple[MatVecParams, MatVecParams, MatVecParams, MatVecParams]
    forget_mul: MulParams
    input_mul: MulParams
    output_mul: MulParams
    sigmoid: tuple[int, int]
    gate_tanh: tuple[int, int]
    cell_tanh: tuple[int, int]
    cell_clip: int


GATE_LOG2_SCALE = -12
"""Gate pre-activations are Q3.12."""

_GATE_SCALE = np.float32(2.0**GATE_LOG2_SCALE)
_NONLINEAR_SCALE = np.float32(2.0**-15)
_BIAS_SCALE_TOLERANCE = 0.02


def _where(graph: Graph, op: Operator) -> str:
    return f"{graph.name}: {op.name}"


def _quantization(tensor: Tensor) -> Quantization:
    assert tensor.quantization is not None, "verify() the graph first"
    return tensor.quantization


def _scale(tensor: Tensor) -> np.float32:
    return _quantization(tensor).scale[0]


def _multiplier(real: float, where: str) -> tuple[int, int]:
    try:
        return numerics.quantize_multiplier(real)
    except ValueError as error:
        raise ModelError(f"{where}: its scales are too far apart: {error}") from None


def _multiplier_below_one(real: float, where: str) -> tuple[int, int]:
    multiplier, shift = _multiplier(real, where)
    if not 0 < real < 1 or shift > 0:
        raise ModelError(
            f"{where}: its scales are too far apart: a factor must be below 1, not {real!r}"
        )
    return multiplier, shift


def _steps(value: float, scale: np.float32, where: str) -> int:
    """`value` / `scale` in float32, rounded."""
    with np.errstate(over="ignore"):
        steps = np.float32(value) / scale
    if not abs(steps) <= numerics.INT32_MAX:
        raise ModelError(f"{where}: scale {scale} is too small for an activation at {value}")
    return numerics.round_half_away(float(steps))


def _activation_range(activation: Activation, output: Tensor, where: str) -> tuple[int, int]:
    lo, hi = DTYPE_RANGES[output.dtype]
    quantization = _quantization(output)

    def steps(value: float) -> int:
        return quantization.zero_point + _steps(value, quantization.scale[0], where)

    match activation:
        case Activation.RELU:
            return max(lo, steps(0.0)), hi
        case Activation.RELU6:
            return max(lo, steps(0.0)), min(hi, steps(6.0))
        case Activation.RELU_N1_TO_1:
            bounds = max(lo, steps(-1.0)), min(hi, steps(1.0))
            if bounds[0] > bounds[1]:
                raise ModelError(f"{where}: -1..1 lies outside of its output's range")
            return bounds
        case Activation.NONE:
            return lo, hi


def _matvec(
    source: Quantization,
    weights: Quantization,
    rows: int,
    output_scale: np.float32,
    output_zero_point: int,
    clamp: tuple[int, int],
    where: str,
) -> MatVecParams:
    # In double, per tensor too. The C++ source writes the per-tensor product in float32, but the
    # pinned oracle answers as if in double, and the last bit of a multiplier shows in outputs.
    pairs = [
        _multiplier(float(source.scale[0]) * float(scale) / float(output_scale), where)
        for scale in weights.scale
    ]
    if weights.per_tensor:
        pairs *= rows
    multipliers, shifts = np.array(pairs, np.int32).T.copy()
    return MatVecParams(
        multipliers, shifts, source.zero_point, output_zero_point, clamp[0], clamp[1]
    )


def fully_connected_params(graph: Graph, op: FullyConnected) -> MatVecParams:
    """Parameters of a FULLY_CONNECTED.

    Raises
    ------
    ModelError
        If the scales cannot be expressed, or a bias' scale is not that of the products.
    """
    source, weights, output = (graph.tensors[i] for i in (op.input, op.weights, op.output))
    weights_quantization = _quantization(weights)
    if op.bias is not None and weights_quantization.per_tensor:
        _check_bias_scale(
            _scale(source),
            _scale(weights),
            graph.tensors[op.bias],
            _scale(output),
            _where(graph, op),
        )
    return _matvec(
        _quantization(source),
        weights_quantization,
        weights.shape[0],
        _scale(output),
        _quantization(output).zero_point,
        _activation_range(op.activation, output, _where(graph, op)),
        _where(graph, op),
    )


def _check_bias_scale(
    source: np.float32, weights: np.float32, bias: Tensor, output: np.float32, where: str
) -> None:
    product = float(source) * float(weights)
    scale = 0.0 if bias.quantization is None else float(bias.quantization.scale[0])
    if abs(product - scale) / float(output) > _BIAS_SCALE_TOLERANCE:
        raise ModelError(
            f"{where}: the scale of its bias must be that of its products, {product!r}, "
            f"not {scale!r}"
        )


def _gate_mul(
    a: np.float32,
    b: np.float32,
    output: np.float32,
    zero_point: int,
    dtype: str,
    where: str,
) -> MulParams:
    multiplier, shift = _multiplier(float(a) * float(b) / float(output), where)
    lo, hi = DTYPE_RANGES[dtype]
    return MulParams(0, 0, multiplier, shift, zero_point, lo, hi)


def lstm_params(graph: Graph, op: Lstm) -> LstmParams:
    """Parameters of a UNIDIRECTIONAL_SEQUENCE_LSTM, 8x8->16.

    Raises
    ------
    ModelError
        If the cell state's scale is not a power of two in 2^-27..2^2, a cell clip is below one
        step of it, or the scales cannot be expressed.
    """
    hidden = _quantization(graph.tensors[op.hidden_state])
    cell_scale = _scale(graph.tensors[op.cell_state])
    log2_scale, exact = numerics.checked_log2(float(cell_scale))
    if not exact:
        raise ModelError(
            f"{_where(graph, op)}: the scale of its cell state must be a power of two, "
            f"not {cell_scale}"
        )
    try:
        cell_tanh = numerics.table_input_scaling(log2_scale)
    except ValueError as error:
        raise ModelError(f"{_where(graph, op)}: its cell state: {error}") from None

    def products(source: Quantization, weights: tuple[int, ...]) -> Any:
        return tuple(
            _matvec(
                source,
                _quantization(graph.tensors[index]),
                graph.tensors[index].shape[0],
                _GATE_SCALE,
                0,
                DTYPE_RANGES["int16"],
                _where(graph, op),
            )
            for index in weights
        )

    one = _NONLINEAR_SCALE
    gate_input = numerics.table_input_scaling(GATE_LOG2_SCALE)
    return LstmParams(
        input=products(_quantization(graph.tensors[op.input]), op.input_weights),
        recurrent=products(hidden, op.recurrent_weights),
        forget_mul=_gate_mul(one, cell_scale, cell_scale, 0, "int16", _where(graph, op)),
        input_mul=_gate_mul(one, one, cell_scale, 0, "int16", _where(graph, op)),
        output_mul=_gate_mul(
            one, one, hidden.scale[0], hidden.zero_point, "int8", _where(graph, op)
        ),
        sigmoid=gate_input,
        gate_tanh=gate_input,
        cell_tanh=cell_tanh,
        cell_clip=_cell_clip(graph, op, cell_scale),
    )


def _cell_clip(graph: Graph, op: Lstm, cell_scale: np.float32) -> int:
    if op.cell_clip == 0:
        return 0
    steps = int(min(float(np.float32(op.cell_clip)) / float(cell_scale), numerics.INT16_MAX))
    if steps < 1:
        raise ModelError(
            f"{_where(graph, op)}: its cell clip must be 0 (none) or at least its cell state's "
            f"scale {cell_scale}, not {op.cell_clip}"
        )
    return steps


def add_params(graph: Graph, op: Add) -> AddParams:
    """Parameters of an ADD.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    a, b, output = (graph.tensors[i] for i in (op.a, op.b, op.output))
    scale_a, scale_b = float(_scale(a)), float(_scale(b))
    twice_max = 2.0 * max(scale_a, scale_b)
    a_multiplier, a_shift = _multiplier_below_one(scale_a / twice_max, _where(graph, op))
    b_multiplier, b_shift = _multiplier_below_one(scale_b / twice_max, _where(graph, op))
    multiplier, shift = _multiplier_below_one(
        twice_max / ((1 << numerics.ADD_LEFT_SHIFT) * float(_scale(output))), _where(graph, op)
    )
    lo, hi = _activation_range(op.activation, output, _where(graph, op))
    return AddParams(
        _quantization(a).zero_point,
        a_multiplier,
        a_shift,
        _quantization(b).zero_point,
        b_multiplier,
        b_shift,
        multiplier,
        shift,
        _quantization(output).zero_point,
        lo,
        hi,
    )


def mul_params(graph: Graph, op: Mul) -> MulParams:
    """Parameters of a MUL.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    a, b, output = (graph.tensors[i] for i in (op.a, op.b, op.output))
    multiplier, shift = _multiplier(
        float(_scale(a)) * float(_scale(b)) / float(_scale(output)), _where(graph, op)
    )
    lo, hi = _activation_range(op.activation, output, _where(graph, op))
    return MulParams(
        _quantization(a).zero_point,
        _quantization(b).zero_point,
        multiplier,
        shift,
        _quantization(output).zero_point,
        lo,
        hi,
    )


def requantisation(source: Quantization, output: Quantization, where: str) -> RescaleParams:
    """Parameters of a QUANTIZE from one int8 quantisation to another.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    multiplier, shift = _multiplier(float(source.scale[0]) / float(output.scale[0]), where)
    return RescaleParams(
        multiplier, shift, source.zero_point, output.zero_point, *DTYPE_RANGES["int8"]
    )


def rescale_params(graph: Graph, op: Quantize | Relu | Relu6) -> RescaleParams:
    """Parameters of a QUANTIZE, RELU or RELU6, int8 to int8.

    TFLM's RELU6 only clamps; it appears here as a rescale by exactly one.

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    """
    source, output = _quantization(graph.tensors[op.input]), _quantization(graph.tensors[op.output])
    if isinstance(op, Quantize):
        return requantisation(source, output, _where(graph, op))
    lo, hi = DTYPE_RANGES["int8"]
    if isinstance(op, Relu):
        # In double, as the pinned oracle does; see `_matvec`.
        multiplier, shift = _multiplier(
            float(source.scale[0]) / float(output.scale[0]), _where(graph, op)
        )
        return RescaleParams(
            multiplier,
            shift,
            source.zero_point,
            output.zero_point,
            max(lo, output.zero_point),
            hi,
        )
    multiplier, shift = numerics.quantize_multiplier(1.0)
    six = source.zero_point + _steps(6.0, source.scale[0], _where(graph, op))
    return RescaleParams(
        multiplier,
        shift,
        source.zero_point,
        source.zero_point,
        source.zero_point,
        min(hi, six),
    )


def lookup_table(graph: Graph, op: Operator) -> np.ndarray:
    """Any int8 to int8 unary operator as a table.

    Returns
    -------
    (256,) int8, indexed by q + 128

    Raises
    ------
    ModelError
        If the scales cannot be expressed.
    TypeError
        If `op` is not unary on int8.
    """
    if isinstance(op, Tanh | Logistic):
        quantization = _quantization(graph.tensors[op.input])
        make = numerics.tanh_table_int8 if isinstance(op, Tanh) else numerics.logistic_table_int8
        try:
            return make(float(quantization.scale[0]), quantization.zero_point)
        except ValueError as error:
            raise ModelError(f"{_where(graph, op)}: its input: {error}") from None
    if isinstance(op, Quantize | Relu | Relu6):
        return rescale_table(rescale_params(graph, op))
    raise TypeError(f"{op.name} has no table")


def rescale_table(params: RescaleParams) -> np.ndarray:
    """A rescale of every int8 as (256,) int8, indexed by q + 128."""
    return np.array(
        [
            numerics.requantize(
                q - params.input_zero_point,
                0,
                params.multiplier,
                params.shift,
                params.output_zero_point,
                params.lo,
                params.hi,
            )
            for q in range(numerics.INT8_MIN, numerics.INT8_MAX + 1)
        ],
        np.int8,
    )
