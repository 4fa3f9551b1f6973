"""The same real values in other steps: a VRESCALE."""

from compiler.lowering.site import GraphLowering
from npu.model.numerics import ADD_LEFT_SHIFT, quantize_multiplier
from npu.model.operators.rescale import Quantize, Relu, Relu6, RescaleParams


def lower(site: GraphLowering, op: Relu | Relu6 | Quantize, params: RescaleParams) -> None:
    """A VRESCALE of the whole tensor."""
    site.unary("VRESCALE", op.input, op.output, rescale_fields(params))


def rescale_fields(params: RescaleParams) -> dict[str, int]:
    """The fields of a VRESCALE of int8."""
    return {
        "a_zero": params.input_zero_point,
        "dst_zero": params.output_zero_point,
        "multiplier": params.multiplier,
        "shift": params.shift,
        "lo": params.lo,
        "hi": params.hi,
    }


def identity_fields(lo: int, hi: int) -> dict[str, int]:
    """The fields of a VRESCALE that only limits int8 to lo..hi."""
    multiplier, shift = quantize_multiplier(1.0)
    return {"lo": lo, "hi": hi, "multiplier": multiplier, "shift": shift}


def exact_sum_fields(lo: int, hi: int) -> dict[str, int]:
    """The fields of a VADD or VSUB of int8 that only limits to lo..hi."""
    multiplier, shift = quantize_multiplier(1.0)
    fields = {"lo": lo, "hi": hi, "multiplier": multiplier, "shift": shift - ADD_LEFT_SHIFT}
    for operand in "ab":
        fields |= {f"{operand}_multiplier": multiplier, f"{operand}_shift": shift}
    return fields


def clip_fields(limit: int) -> dict[str, int]:
    """The fields of a VRESCALE that limits int16 to -limit..limit."""
    return identity_fields(-limit, limit) | {"a_type": 1, "dst_type": 1}


LOWER = {Relu: lower, Relu6: lower, Quantize: lower}
