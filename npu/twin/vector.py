"""Vector unit: element-wise commands on SRAM, `vector_elements` elements per cycle.

Each group of elements is read, computed and written in pipeline; a destination that overlaps a
source must be that source exactly. Latencies are those of `npu.chip.timing.vector`.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from npu.chip.isa import FIXED_TYPES, Command, ElementType
from npu.jit import kernel
from npu.model.numerics import (
    add_affine,
    mul_affine,
    requantize,
    saturating_add_int16,
    sigmoid_int16,
    tanh_int16,
)


@kernel
def _add(a, b, dst, scale_a, scale_b, output):
    for i in range(len(dst)):
        dst[i] = add_affine(np.int64(a[i]), np.int64(b[i]), scale_a, scale_b, output)


@kernel
def _mul(a, b, dst, za, zb, m, s, z, lo, hi):
    for i in range(len(dst)):
        dst[i] = mul_affine(np.int64(a[i]), np.int64(b[i]), za, zb, m, s, z, lo, hi)


@kernel
def _rescale(a, dst, za, m, s, z, lo, hi):
    for i in range(len(dst)):
        dst[i] = requantize(np.int64(a[i]) - za, 0, m, s, z, lo, hi)


@kernel
def _add_saturating(a, b, dst):
    for i in range(len(dst)):
        dst[i] = saturating_add_int16(np.int64(a[i]), np.int64(b[i]))


@kernel
def _sigmoid(a, dst, multiplier, shift):
    for i in range(len(dst)):
        dst[i] = sigmoid_int16(np.int64(a[i]), multiplier, shift)


@kernel
def _tanh(a, dst, multiplier, shift):
    for i in range(len(dst)):
        dst[i] = tanh_int16(np.int64(a[i]), multiplier, shift)


@kernel
def _look_up(a, dst, table):
    for i in range(len(dst)):
        dst[i] = table[np.int64(a[i]) + 128]


@kernel
def _copy(a, dst):
    for i in range(len(dst)):
        dst[i] = a[i]


@kernel
def _fill(dst, value):
    for i in range(len(dst)):
        dst[i] = value


@kernel
def _argmax(a):
    best = 0
    for i in range(len(a)):
        if a[i] > a[best]:
            best = i
    return best


NUMPY: dict[ElementType, np.dtype] = {
    ElementType.INT8: np.dtype(np.int8),
    ElementType.INT16: np.dtype("<i2"),
}


def operand_types(
    cmd: Command,
) -> tuple[ElementType | None, ElementType | None, ElementType | None]:
    """Element types of a, b and dst of a vector command; None where it has no such operand."""
    if cmd.opcode.name in FIXED_TYPES:
        return FIXED_TYPES[cmd.opcode.name]
    values = cmd.values
    a = ElementType(values["a_type"]) if "a_type" in values else None
    b = ElementType(values["b_type"]) if "b_type" in values else None
    if "dst_type" in values:
        return a, b, ElementType(values["dst_type"])
    return a, b, a


def bind(
    cmd: Command, a: np.ndarray, b: np.ndarray, dst: np.ndarray, table: np.ndarray
) -> Callable[[], int | None]:
    """A function that does the work of a vector command on its operand views, again and again.

    a, b, dst : (n,) int8 or int16 views of SRAM; unused ones are empty.
    table : (256,) int8, the look-up table.

    The function returns the scalar result of VARGMAX, None of the others.
    """
    v = cmd.values
    clamp = [v[key] for key in ("dst_zero", "lo", "hi") if key in v]
    match cmd.opcode.name:
        case "VADD":
            scale_a = (v["a_zero"], v["a_multiplier"], v["a_shift"])
            scale_b = (v["b_zero"], v["b_multiplier"], v["b_shift"])
            return partial(_add, a, b, dst, scale_a, scale_b, (v["multiplier"], v["shift"], *clamp))
        case "VMUL":
            zeros = v["a_zero"], v["b_zero"]
            return partial(_mul, a, b, dst, *zeros, v["multiplier"], v["shift"], *clamp)
        case "VRESCALE":
            return partial(_rescale, a, dst, v["a_zero"], v["multiplier"], v["shift"], *clamp)
        case "VADDS":
            return partial(_add_saturating, a, b, dst)
        case "VSIGMOID":
            return partial(_sigmoid, a, dst, v["multiplier"], v["shift"])
        case "VTANH":
            return partial(_tanh, a, dst, v["multiplier"], v["shift"])
        case "VLUT":
            return partial(_look_up, a, dst, table)
        case "VCOPY":
            return partial(_copy, a, dst)
        case "VFILL":
            return partial(_fill, dst, v["imm"])
        case "VARGMAX":
            return partial(_argmax, a)
        case name:
            raise ValueError(f"{name} is no vector command")
