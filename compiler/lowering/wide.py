"""Elements of int16: a vector command, a walk where one is broadcast; three for a difference."""

from compiler.lowering.binary import lower_pair, mul_fields, operand
from compiler.lowering.ir import View
from compiler.lowering.rescale import identity_fields
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, fill, walk
from npu.chip.isa import ElementType
from npu.model.broadcast import broadcast_strides
from npu.model.numerics import INT16_MAX, INT16_MIN
from npu.model.operators.binary import MulParams
from npu.model.operators.wide import WideAdd, WideLogistic, WideMul, WideSub, WideTanh

_WIDE = int(ElementType.INT16)
_TO_ONE = {"a_type": _WIDE, "dst_type": _WIDE}
_TO_ONE_OF_TWO = _TO_ONE | {"b_type": _WIDE}


def lower_add(site: GraphLowering, op: WideAdd, params: None) -> None:
    """A VADDS."""
    lower_pair(site, "VADDS", op, {})


def lower_mul(site: GraphLowering, op: WideMul, params: MulParams) -> None:
    """A VMUL."""
    lower_pair(site, "VMUL", op, mul_fields(params) | _TO_ONE_OF_TWO)


def lower_sub(site: GraphLowering, op: WideSub, params: None) -> None:
    """a - b is ~(~a + b), which saturates where the difference does; ~x is (x + 1) times -1."""
    shape = site.graph.tensors[op.output].shape
    a, output = site.buffer(op.a).whole(), site.new(op.output).whole()
    minus = site.new_buffer("minus one", 1, ElementType.INT8).whole()
    fill(site, minus, -1)
    inverse = site.new_buffer("inverse", a.n, ElementType.INT16).whole()
    _invert(site, minus, inverse, a)
    strides = broadcast_strides(shape, shape)
    operands = {
        "dst": Operand(output, strides),
        "a": operand(site, op.a, shape, inverse),
        "b": operand(site, op.b, shape),
    }
    walk(site, "VADDS", shape, operands)
    _invert(site, minus, output, output)


def _invert(site: GraphLowering, minus: View, dst: View, source: View) -> None:
    """The bits of all elements inverted; `minus` is a vector of -1."""
    fields = identity_fields(INT16_MIN, INT16_MAX) | _TO_ONE | {"a_zero": -1}
    operands = {"dst": Operand(dst, (1,)), "a": Operand(source, (1,)), "b": Operand(minus, (0,))}
    walk(site, "VMUL", [dst.n], operands, fields)


def lower_tanh(site: GraphLowering, op: WideTanh, params: tuple[int, int]) -> None:
    """A VTANH."""
    _function(site, "VTANH", op, params)


def lower_logistic(site: GraphLowering, op: WideLogistic, params: tuple[int, int]) -> None:
    """A VSIGMOID."""
    _function(site, "VSIGMOID", op, params)


def _function(
    site: GraphLowering, opcode: str, op: WideTanh | WideLogistic, params: tuple[int, int]
) -> None:
    multiplier, shift = params
    site.unary(opcode, op.input, op.output, {"multiplier": multiplier, "shift": shift})


LOWER = {
    WideAdd: lower_add,
    WideSub: lower_sub,
    WideMul: lower_mul,
    WideTanh: lower_tanh,
    WideLogistic: lower_logistic,
}
