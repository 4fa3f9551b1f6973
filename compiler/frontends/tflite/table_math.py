"""The table's lines of operators that compute, element by element or row by row."""

from collections.abc import Callable

from tflite.AddOptions import AddOptions
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.MulOptions import MulOptions
from tflite.SubOptions import SubOptions

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite import convert
from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.site import Constraint
from npu.model.operators.binary import Add, Maximum, Minimum, Mul, Prelu, SquaredDifference, Sub
from npu.model.operators.rescale import Relu, Relu6
from npu.model.operators.table import Logistic, Tanh
from npu.model.references import Operator

_OPERANDS = (must.two_inputs, must.int8_data)
_CLAMPED = (*_OPERANDS, must.clamping_activation)
_ALIKE = (must.same_shapes, must.no_constant_operand)


def _pair(kind: Callable[[str, int, int, int], Operator], *later: Constraint) -> Entry:
    return Entry(_OPERANDS, convert.pair(kind), later=later)


def _unary(kind: Callable[[str, int, int], Operator]) -> Entry:
    constraints = (must.one_input, must.int8_data)
    return Entry(constraints, convert.unary(kind), later=(must.no_constant_input,))


MATH: dict[int, Entry] = {
    BuiltinOperator.ADD: Entry(
        _CLAMPED, convert.binary(Add), (BuiltinOptions.AddOptions, AddOptions), _ALIKE
    ),
    BuiltinOperator.LOGISTIC: _unary(Logistic),
    BuiltinOperator.MAXIMUM: _pair(Maximum, *_ALIKE),
    BuiltinOperator.MINIMUM: _pair(Minimum, must.only_in_kernels),
    BuiltinOperator.MUL: Entry(
        _CLAMPED, convert.binary(Mul), (BuiltinOptions.MulOptions, MulOptions), _ALIKE
    ),
    BuiltinOperator.PRELU: _pair(Prelu, must.only_in_kernels),
    BuiltinOperator.RELU: _unary(Relu),
    BuiltinOperator.RELU6: _unary(Relu6),
    BuiltinOperator.SQUARED_DIFFERENCE: _pair(SquaredDifference, must.only_in_kernels),
    BuiltinOperator.SUB: Entry(
        _CLAMPED,
        convert.binary(Sub),
        (BuiltinOptions.SubOptions, SubOptions),
        (must.only_in_kernels,),
    ),
    BuiltinOperator.TANH: _unary(Tanh),
}
