"""Vector unit: element-wise commands on SRAM, `vector_elements` elements per cycle.

Each group of elements is read, computed and written in pipeline; a destination that overlaps a
source must be that source exactly. Latencies are those of `npu.timing.vector`.
"""

import numpy as np

from npu.isa import Command, ElementType
from npu.jit import kernel
from npu.numerics import (
    add_affine,
    mul_affine,
    requantize,
    saturating_add_int16,
    sigmoid_int16,
    tanh_int16,
)


@kernel
def _add(a, b, dst, za, ma, sa, zb, mb, sb, m, s, z, lo, hi):
    for i in range(len(dst)):
        x, y = np.int64(a[i]), np.int64(b[i])
        dst[i] = add_affine(x, y, za, ma, sa, zb, mb, sb, m, s, z, lo, hi)


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


# Types of the commands whose operands have only one.
FIXED_TYPES = {
    "VADD": (ElementType.INT8, ElementType.INT8, ElementType.INT8),
    "VADDS": (ElementType.INT16, ElementType.INT16, ElementType.INT16),
    "VSIGMOID": (ElementType.INT16, None, ElementType.INT16),
    "VTANH": (ElementType.INT16, None, ElementType.INT16),
    "VLUT": (ElementType.INT8, None, ElementType.INT8),
    "VARGMAX": (ElementType.INT8, None, None),
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


def execute(
    cmd: Command,
    a: np.ndarray,
    b: np.ndarray,
    dst: np.ndarray,
    table: np.ndarray,
) -> int:
    """Do the work of a vector command on its operand views. Returns the scalar result (VARGMAX).

    a, b, dst : (n,) int8 or int16 views of SRAM; unused ones are empty.
    table : (256,) int8, the look-up table.
    """
    v = cmd.values
    match cmd.opcode.name:
        case "VADD":
            _add(
                *(a, b, dst, v["a_zero"], v["a_multiplier"], v["a_shift"]),
                *(v["b_zero"], v["b_multiplier"], v["b_shift"]),
                *(v["multiplier"], v["shift"], v["dst_zero"], v["lo"], v["hi"]),
            )
        case "VMUL":
            _mul(
                *(a, b, dst, v["a_zero"], v["b_zero"], v["multiplier"], v["shift"]),
                *(v["dst_zero"], v["lo"], v["hi"]),
            )
        case "VRESCALE":
            _rescale(
                *(a, dst, v["a_zero"], v["multiplier"], v["shift"]),
                *(v["dst_zero"], v["lo"], v["hi"]),
            )
        case "VADDS":
            _add_saturating(a, b, dst)
        case "VSIGMOID":
            _sigmoid(a, dst, v["multiplier"], v["shift"])
        case "VTANH":
            _tanh(a, dst, v["multiplier"], v["shift"])
        case "VLUT":
            dst[:] = table[a.astype(np.int64) + 128]
        case "VCOPY":
            dst[:] = a
        case "VFILL":
            dst[:] = np.int64(v["imm"]).astype(dst.dtype)
        case "VARGMAX":
            return int(np.argmax(a))
        case name:
            raise ValueError(f"{name} is no vector command")
    return 0
