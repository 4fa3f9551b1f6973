"""Two activations become one, element by element: a vector command on equal layouts."""

from compiler.lowering.ir import Vector
from compiler.lowering.site import NO_COMMAND, GraphLowering
from npu.model.operators.binary import (
    Add,
    AddParams,
    Maximum,
    Minimum,
    Mul,
    MulParams,
    Prelu,
    SquaredDifference,
    Sub,
)


def lower_add(site: GraphLowering, op: Add, params: AddParams) -> None:
    """A VADD of whole tensors."""
    a, b, output = params
    fields = {
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
    _binary(site, "VADD", op, fields)


def lower_mul(site: GraphLowering, op: Mul, params: MulParams) -> None:
    """A VMUL of whole tensors."""
    _binary(site, "VMUL", op, mul_fields(params))


def lower_maximum(site: GraphLowering, op: Maximum, params: None) -> None:
    """A VMAX of whole tensors."""
    _binary(site, "VMAX", op, {})


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


def _binary(
    site: GraphLowering, opcode: str, op: Add | Mul | Maximum, fields: dict[str, int]
) -> None:
    a, b = site.buffer(op.a), site.buffer(op.b)
    site.require_same_layout(a, b)
    dst = site.new(op.output, like=a)
    site.add(Vector(opcode, a.whole().n, dst.whole(), a.whole(), b.whole(), fields))


LOWER = {Add: lower_add, Mul: lower_mul, Maximum: lower_maximum}
REFUSED = dict.fromkeys((Sub, SquaredDifference, Prelu, Minimum), NO_COMMAND)
