"""Vector unit: element-wise commands on SRAM, `vector_elements` elements per cycle.

Each group of elements is read, computed and written in pipeline; a destination that overlaps a
source must be that source exactly. Latencies are those of `npu.chip.timing.vector`. A looped
command takes one element per cycle (`npu.twin.walk`); its operands are gathered to vectors here.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from npu.chip.isa import OPCODES, Command, ElementType
from npu.jit import kernel
from npu.model.numerics import (
    add_affine,
    mul_affine,
    requantize,
    saturating_add_int16,
    sigmoid_int16,
    sub_affine,
    tanh_int16,
)


def _fields_of(name: str) -> np.dtype:
    """The numbers of a command that is no operand and no type, under their names."""
    taken = ("dst", "n", "a", "b", "a_type", "b_type", "dst_type", "looped")
    fields = (field.name for field in OPCODES[name].fields if field.name not in taken)
    return np.dtype([(field, np.int64) for field in fields])


_FIELDS = {name: _fields_of(name) for name in ("VADD", "VSUB", "VMUL", "VDOT", "VRESCALE")}
"""What the kernels of commands with many numbers take them in: (1,) of these."""


@kernel
def _add(a, b, dst, fields):
    f = fields[0]
    scale_a = (f.a_zero, f.a_multiplier, f.a_shift)
    scale_b = (f.b_zero, f.b_multiplier, f.b_shift)
    output = (f.multiplier, f.shift, f.dst_zero, f.lo, f.hi)
    for i in range(len(dst)):
        dst[i] = add_affine(np.int64(a[i]), np.int64(b[i]), scale_a, scale_b, output)


@kernel
def _sub(a, b, dst, fields):
    f = fields[0]
    scale_a = (f.a_zero, f.a_multiplier, f.a_shift)
    scale_b = (f.b_zero, f.b_multiplier, f.b_shift)
    output = (f.multiplier, f.shift, f.dst_zero, f.lo, f.hi)
    for i in range(len(dst)):
        dst[i] = sub_affine(np.int64(a[i]), np.int64(b[i]), scale_a, scale_b, output)


@kernel
def _mul(a, b, dst, fields):
    f = fields[0]
    for i in range(len(dst)):
        dst[i] = mul_affine(
            np.int64(a[i]),
            np.int64(b[i]),
            f.a_zero,
            f.b_zero,
            f.multiplier,
            f.shift,
            f.dst_zero,
            f.lo,
            f.hi,
        )


@kernel
def _dot(a, b, dst, fields):
    f = fields[0]
    n = len(a) // len(dst)
    for i in range(len(dst)):
        total = np.int64(0)
        for j in range(i * n, i * n + n):
            total += (np.int64(a[j]) - f.a_zero) * (np.int64(b[j]) - f.b_zero)
        dst[i] = requantize(total, 0, f.multiplier, f.shift, f.dst_zero, f.lo, f.hi)


@kernel
def _rescale(a, dst, fields):
    f = fields[0]
    for i in range(len(dst)):
        dst[i] = requantize(
            np.int64(a[i]) - f.a_zero, 0, f.multiplier, f.shift, f.dst_zero, f.lo, f.hi
        )


@kernel
def _add_saturating(a, b, dst):
    for i in range(len(dst)):
        dst[i] = saturating_add_int16(np.int64(a[i]), np.int64(b[i]))


@kernel
def _maximum(a, b, dst):
    for i in range(len(dst)):
        dst[i] = max(a[i], b[i])


@kernel
def _minimum(a, b, dst):
    for i in range(len(dst)):
        dst[i] = min(a[i], b[i])


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


ARGMAX_MODULUS = 1 << 16
"""The chip counts no further in a VARGMAX."""

NUMPY: dict[ElementType, np.dtype] = {
    ElementType.INT8: np.dtype(np.int8),
    ElementType.INT16: np.dtype("<i2"),
}


def bind(
    cmd: Command, a: np.ndarray, b: np.ndarray, dst: np.ndarray, table: np.ndarray
) -> Callable[[], int | None]:
    """A function that does the work of a vector command on its operand views, again and again.

    a, b, dst : (n,) int8 or int16 views of SRAM; unused ones are empty. Of VDOT, whose rows have
        the same length, dst has an element a row.
    table : (256,) int8, the look-up table.

    The function returns the scalar result of VARGMAX, None of the others.
    """
    v, name = cmd.values, cmd.opcode.name
    if name in _FIELDS:
        dtype = _FIELDS[name]
        fields = np.array([tuple(v[field] for field in dtype.names or ())], dtype)
    match name:
        case "VADD":
            return partial(_add, a, b, dst, fields)
        case "VSUB":
            return partial(_sub, a, b, dst, fields)
        case "VMUL":
            return partial(_mul, a, b, dst, fields)
        case "VDOT":
            return partial(_dot, a, b, dst, fields)
        case "VRESCALE":
            return partial(_rescale, a, dst, fields)
        case "VADDS":
            return partial(_add_saturating, a, b, dst)
        case "VMAX":
            return partial(_maximum, a, b, dst)
        case "VMIN":
            return partial(_minimum, a, b, dst)
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
        case _:
            raise ValueError(f"{name} is no vector command")
