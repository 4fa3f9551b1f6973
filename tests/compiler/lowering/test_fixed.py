"""gemmlowp's fixed-point functions: routines on the twin answer as the integers of the model."""

import numpy as np
import pytest

from compiler.lowering import fixed
from compiler.lowering.routine import RoutineWriter
from compiler.passes.assembler import Assembler
from npu.model import fixed_point
from npu.model.numerics import INT32_MAX, INT32_MIN, multiply_by_quantized_multiplier
from tests.npu.twin.programs import machine


def routine(write, inputs):
    """A function of numbers: what `write(r, registers)` leaves in them, those of `inputs` given."""
    r = RoutineWriter()
    with r.registers(inputs) as registers:
        write(r, registers)
    asm = Assembler()
    for line in r.lines:
        if line.opcode:
            asm.emit(line.opcode, to=line.to, **line.fields)
        else:
            asm.label(line.to)
    made = machine(*asm.commands())

    def run(*numbers):
        made.run(0, {reg.number: x for reg, x in zip(registers, numbers, strict=False)})
        return [made.registers[reg.number] for reg in registers]

    return run


def numbers(lo, hi, count=150):
    """The ends, powers of two and their neighbours, and random ones between."""
    rng = np.random.default_rng(hi % 1000)
    powers = {sign * (1 << k) + d for k in range(32) for d in (-1, 0, 1) for sign in (1, -1)}
    found = {lo, hi, *powers, *(int(x) for x in rng.integers(lo, hi, count))}
    return sorted(x for x in found if lo <= x <= hi)


@pytest.mark.parametrize("exponent", [1, 3, 6])
def test_shifts_saturate(exponent):
    run = routine(lambda r, regs: fixed.saturating_shift_left(r, regs[1], regs[0], exponent), 2)
    for x in numbers(0, INT32_MAX):
        assert run(x)[1] == fixed_point.saturating_shift_left(x, exponent)


@pytest.mark.parametrize("shift", [-31, -3, 0, 5, 30])
def test_factors(shift):
    multiplier = 1518500250
    run = routine(lambda r, regs: fixed.scale(r, regs[0], multiplier, shift), 1)
    for x in numbers(INT32_MIN, INT32_MAX):
        assert run(x)[0] == multiply_by_quantized_multiplier(x, multiplier, shift)


def test_reciprocals():
    run = routine(lambda r, regs: fixed.reciprocal(r, *regs), 2)
    bits = fixed_point.LOG_INPUT_BITS
    for x in numbers(1, INT32_MAX):
        factor, headroom = run(x)
        assert (factor, bits - headroom) == fixed_point.reciprocal(x, bits)


def test_logarithms():
    run = routine(lambda r, regs: fixed.log_of_at_least_one(r, *regs), 1)
    for x in numbers(1 << 19, INT32_MAX):
        assert run(x)[0] == fixed_point.log_of_at_least_one(x)


def test_inverse_roots():
    run = routine(lambda r, regs: fixed.inverse_square_root(r, *regs), 2)
    for x in numbers(0, INT32_MAX):
        assert tuple(run(x)) == fixed_point.inverse_square_root(x)
