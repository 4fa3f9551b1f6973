"""The table's lines of operators that compute, element by element or row by row."""

from collections.abc import Callable
from typing import Any

from tflite.AddOptions import AddOptions
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.L2NormOptions import L2NormOptions
from tflite.LeakyReluOptions import LeakyReluOptions
from tflite.MulOptions import MulOptions
from tflite.SoftmaxOptions import SoftmaxOptions
from tflite.SubOptions import SubOptions

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite import convert, convert_math
from compiler.frontends.tflite.convert import Convert
from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.site import Constraint
from npu.model.operators.binary import Add, Maximum, Minimum, Prelu, SquaredDifference, Sub
from npu.model.operators.normalise import L2Normalization, LogSoftmax
from npu.model.operators.reduce import ArgMax, ArgMin, Mean, ReduceMax, ReduceMin, Sum
from npu.model.operators.rescale import Relu, Relu6
from npu.model.operators.table import Abs, Exp, HardSwish, Logistic, Rsqrt, Tanh
from npu.model.operators.wide import WideAdd, WideLogistic, WideSub, WideTanh
from npu.model.references import Operator

_OPERANDS = (must.two_inputs, must.int8_data)
_CLAMPED = (must.two_inputs, must.int8_or_int16_data, must.clamping_activation)


def _pair(kind: Callable[[str, int, int, int], Operator]) -> Entry:
    return Entry(_OPERANDS, convert.pair(kind))


def _unary(kind: Callable[[str, int, int], Operator]) -> Entry:
    constraints = (must.one_input, must.int8_data)
    return Entry(constraints, convert.unary(kind))


def _sum(
    kind: type[Add] | type[Sub], wide: Callable[..., Operator], options: tuple[int, Any]
) -> Entry:
    constraints = (*_CLAMPED, must.int16_of_one_scale)
    return Entry(constraints, convert.wide(convert.binary(kind), wide), options)


def _sigmoid(kind: Callable[[str, int, int], Operator], wide: Callable[..., Operator]) -> Entry:
    constraints = (must.one_input, must.int8_or_int16_data, must.int16_within_one)
    return Entry(constraints, convert.wide(convert.unary(kind), wide))


def _along(convert_to: Convert, data: Constraint) -> Entry:
    constraints = (must.two_inputs, data, must.constant_int32_axes)
    return Entry(constraints, convert_to)


def _real(function: str) -> Entry:
    return Entry((must.one_input, must.real_data), convert_math.real(function))


def _reduction(kind: Callable[[str, int, int, tuple[int, ...]], Operator]) -> Entry:
    return _along(convert_math.reduction(kind), must.int8_input_and_output)


def _search(kind: Callable[[str, int, int, int], Operator]) -> Entry:
    return _along(convert_math.search(kind), must.int8_to_int32)


MATH: dict[int, Entry] = {
    BuiltinOperator.ABS: _unary(Abs),
    BuiltinOperator.ADD: _sum(Add, WideAdd, (BuiltinOptions.AddOptions, AddOptions)),
    BuiltinOperator.ARG_MAX: _search(ArgMax),
    BuiltinOperator.ARG_MIN: _search(ArgMin),
    BuiltinOperator.COS: _real("COS"),
    BuiltinOperator.ELU: Entry(
        (must.one_input, must.int8_or_real_data),
        convert_math.elu,
    ),
    BuiltinOperator.EXP: _unary(Exp),
    BuiltinOperator.HARD_SWISH: _unary(HardSwish),
    BuiltinOperator.L2_NORMALIZATION: Entry(
        (must.one_input, must.int8_data, must.no_activation),
        convert.unary(L2Normalization),
        (BuiltinOptions.L2NormOptions, L2NormOptions),
    ),
    BuiltinOperator.LEAKY_RELU: Entry(
        (must.one_input, must.int8_data),
        convert_math.leaky_relu,
        (BuiltinOptions.LeakyReluOptions, LeakyReluOptions),
    ),
    BuiltinOperator.LOG_SOFTMAX: _unary(LogSoftmax),
    BuiltinOperator.LOGISTIC: _sigmoid(Logistic, WideLogistic),
    BuiltinOperator.MAXIMUM: _pair(Maximum),
    BuiltinOperator.MEAN: _reduction(Mean),
    BuiltinOperator.MINIMUM: _pair(Minimum),
    BuiltinOperator.MUL: Entry(
        _CLAMPED, convert.wide_product, (BuiltinOptions.MulOptions, MulOptions)
    ),
    BuiltinOperator.NEG: _real("NEG"),
    BuiltinOperator.PRELU: _pair(Prelu),
    BuiltinOperator.REDUCE_MAX: _reduction(ReduceMax),
    BuiltinOperator.REDUCE_MIN: _reduction(ReduceMin),
    BuiltinOperator.RELU: _unary(Relu),
    BuiltinOperator.RELU6: _unary(Relu6),
    BuiltinOperator.RSQRT: _unary(Rsqrt),
    BuiltinOperator.SIN: _real("SIN"),
    BuiltinOperator.SOFTMAX: Entry(
        (must.one_input, must.int8_to_int8_or_int16),
        convert_math.softmax,
        (BuiltinOptions.SoftmaxOptions, SoftmaxOptions),
    ),
    BuiltinOperator.SQUARE: _real("SQUARE"),
    BuiltinOperator.SQUARED_DIFFERENCE: _pair(SquaredDifference),
    BuiltinOperator.SUB: _sum(Sub, WideSub, (BuiltinOptions.SubOptions, SubOptions)),
    BuiltinOperator.SUM: _reduction(Sum),
    BuiltinOperator.TANH: _sigmoid(Tanh, WideTanh),
}
