"""Two tensors become one, element by element: a vector command, a walk where one is broadcast."""

from compiler.lowering.ir import Vector, View
from compiler.lowering.rescale import exact_sum_fields, identity_fields
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, fill, walk
from npu.chip.isa import ElementType
from npu.model.broadcast import broadcast_strides
from npu.model.numerics import (
    INT8_MAX,
    INT8_MIN,
    INT16_MAX,
    INT16_MIN,
    SQUARED_DIFFERENCE_LEFT_SHIFT,
    OperandScale,
)
from npu.model.operators.binary import (
    Add,
    AddParams,
    Binary,
    Maximum,
    Minimum,
    Mul,
    MulParams,
    Prelu,
    PreluParams,
    SquaredDifference,
    Sub,
)
from npu.model.operators.wide import WideBinary


def lower_add(site: GraphLowering, op: Add, params: AddParams) -> None:
    """A VADD."""
    lower_pair(site, "VADD", op, _sum_fields(params))


def _sum_fields(params: AddParams) -> dict[str, int]:
    a, b, output = params
    return {
        "a_zero": a.zero_point,
        "a_multiplier": a.multiplier,
        "a_shift": a.shift,
        "b_zero": b.zero_point,
        "b_multiplier": b.multiplier,
        "b_shift": b.shift,
        "multiplier": output.multiplier,
        "shift": output.shift,
        "dst_zero": output.zero_point,
        "lo": output.lo,
        "hi": output.hi,
    }


def lower_mul(site: GraphLowering, op: Mul, params: MulParams) -> None:
    """A VMUL."""
    lower_pair(site, "VMUL", op, mul_fields(params))


def lower_sub(site: GraphLowering, op: Sub, params: AddParams) -> None:
    """A VSUB."""
    lower_pair(site, "VSUB", op, _sum_fields(params))


def lower_maximum(site: GraphLowering, op: Maximum, params: None) -> None:
    """A VMAX."""
    lower_pair(site, "VMAX", op, {})


def lower_minimum(site: GraphLowering, op: Minimum, params: None) -> None:
    """A VMIN."""
    lower_pair(site, "VMIN", op, {})


def lower_prelu(site: GraphLowering, op: Prelu, params: PreluParams) -> None:
    """What is negative and what is not, each rescaled, with zero for the other; and their sum."""
    a, dst = site.buffer(op.a), site.new(op.output)
    zero = params.a_zero_point
    shape = site.graph.tensors[op.output].shape

    def limited(name: str, lo: int, hi: int) -> Operand:
        # Before it is rescaled: at odd scales a product wraps, and has any sign.
        part = site.new_buffer(name, a.n, ElementType.INT8).whole()
        fields = identity_fields(lo, hi) | {"a_zero": zero, "dst_zero": zero}
        site.add(Vector("VRESCALE", a.n, part, a.whole(), fields=fields))
        return operand(site, op.a, shape, part)

    strides = broadcast_strides(shape, shape)
    one = Operand(dst.whole(), strides)
    other = Operand(site.new_buffer("negative", dst.n, ElementType.INT8).whole(), strides)
    output_zero = params.output_zero_point
    limits = {"a_zero": zero, "dst_zero": output_zero, "lo": INT8_MIN, "hi": INT8_MAX}
    slopes = {"multiplier": params.slope_multiplier, "shift": params.slope_shift}
    slopes |= {"b_zero": params.b_zero_point}
    factor = {"multiplier": params.multiplier, "shift": params.shift}
    below = limited("negative inputs", INT8_MIN, zero)
    operands = {"dst": other, "a": below, "b": operand(site, op.b, shape)}
    walk(site, "VMUL", shape, operands, limits | slopes)
    above = limited("other inputs", zero, INT8_MAX)
    walk(site, "VRESCALE", shape, {"dst": one, "a": above}, limits | factor)
    added = exact_sum_fields(INT8_MIN, INT8_MAX) | {"b_zero": output_zero}
    walk(site, "VADD", shape, {"dst": one, "a": one, "b": other}, added)


def lower_squared_difference(site: GraphLowering, op: SquaredDifference, params: AddParams) -> None:
    """Both operands scaled as int16, the second one negated; the square of their sum."""
    scales_a, scales_b, output = params
    one, other = _scaled(site, op.a, scales_a), _scaled(site, op.b, scales_b)
    minus = site.new_buffer("minus one", 1, ElementType.INT8).whole()
    fill(site, minus, -1)
    negated = {"dst": Operand(other, (1,)), "a": Operand(other, (1,)), "b": Operand(minus, (0,))}
    wide = identity_fields(INT16_MIN, INT16_MAX) | {"a_type": 1, "dst_type": 1}
    walk(site, "VMUL", [other.n], negated, wide)
    shape = site.graph.tensors[op.output].shape
    dst = site.new(op.output).whole()
    difference = site.new_buffer("difference", dst.n, ElementType.INT16).whole()
    operands = {
        "dst": Operand(difference, broadcast_strides(shape, shape)),
        "a": operand(site, op.a, shape, one),
        "b": operand(site, op.b, shape, other),
    }
    walk(site, "VADDS", shape, operands)
    square = {
        "a_type": 1,
        "b_type": 1,
        "multiplier": output.multiplier,
        "shift": output.shift,
        "dst_zero": output.zero_point,
        "lo": output.lo,
        "hi": output.hi,
    }
    if dst.n:
        site.add(Vector("VMUL", dst.n, dst, difference, difference, fields=square))


def _scaled(site: GraphLowering, index: int, scale: OperandScale) -> View:
    """A tensor of int8 with head room, then scaled, as int16."""
    source = site.buffer(index).whole()
    wide = site.new_buffer("scaled", source.n, ElementType.INT16).whole()
    fields = identity_fields(INT16_MIN, INT16_MAX) | {"dst_type": 1}
    room = {"a_zero": scale.zero_point, "shift": fields["shift"] + SQUARED_DIFFERENCE_LEFT_SHIFT}
    walk(
        site,
        "VRESCALE",
        [source.n],
        {"dst": Operand(wide, (1,)), "a": Operand(source, (1,))},
        fields | room,
    )
    factor = {"a_type": 1, "multiplier": scale.multiplier, "shift": scale.shift}
    whole = Operand(wide, (1,))
    walk(site, "VRESCALE", [source.n], {"dst": whole, "a": whole}, fields | factor)
    return wide


def mul_fields(params: MulParams) -> dict[str, int]:
    """The fields of a VMUL."""
    return {
        "a_zero": params.a_zero_point,
        "b_zero": params.b_zero_point,
        "dst_zero": params.output_zero_point,
        "multiplier": params.multiplier,
        "shift": params.shift,
        "lo": params.lo,
        "hi": params.hi,
    }


def lower_pair(
    site: GraphLowering, opcode: str, op: Binary | WideBinary, fields: dict[str, int]
) -> None:
    """A vector command of two tensors, a walk where one is broadcast."""
    shape = site.graph.tensors[op.output].shape
    a, b = operand(site, op.a, shape), operand(site, op.b, shape)
    dst = Operand(site.new(op.output).whole(), broadcast_strides(shape, shape))
    walk(site, opcode, shape, {"dst": dst, "a": a, "b": b}, fields)


def operand(
    site: GraphLowering, index: int, shape: tuple[int, ...], view: View | None = None
) -> Operand:
    """A tensor, or what lies like it in `view`, broadcast to a shape."""
    own = site.graph.tensors[index].shape
    # Ones in front of the output's dimensions are none.
    strides = broadcast_strides(
        own[len(own) - len(shape) :] if len(own) > len(shape) else own, shape
    )
    return Operand(site.buffer(index).whole() if view is None else view, strides)


LOWER = {
    Add: lower_add,
    Sub: lower_sub,
    Mul: lower_mul,
    Maximum: lower_maximum,
    Minimum: lower_minimum,
    Prelu: lower_prelu,
    SquaredDifference: lower_squared_difference,
}
