"""The scalar registers: what was written last, zero before and after a reset."""

import random

from amaranth.hdl import ResetInserter, Signal
from amaranth.sim import Simulator

from npu.chip.isa import REGISTERS
from rtl.sequencer.scalars import ScalarRegisters


def test_registers_hold_what_was_written_until_a_reset():
    rng = random.Random(1)
    reset, registers = Signal(), ScalarRegisters(2)
    expected = [0] * REGISTERS

    def check(ctx):
        """Every register through both ports, which look at different ones."""
        for index in range(REGISTERS):
            for port, at in enumerate((index, REGISTERS - 1 - index)):
                ctx.set(registers.index[port], at)
                assert ctx.get(registers.value[port]) == expected[at]

    async def testbench(ctx):
        check(ctx)
        for _ in range(2):
            for index in (*range(REGISTERS), *rng.choices(range(REGISTERS), k=9)):
                value, written = rng.getrandbits(32) | 1, rng.random() < 0.8
                ctx.set(registers.write, written)
                ctx.set(registers.write_index, index)
                ctx.set(registers.write_value, value)
                check(ctx)  # a write is seen in the next cycle
                await ctx.tick()
                if written and index != 0:
                    expected[index] = value
                check(ctx)
            ctx.set(registers.write, 0)
            ctx.set(reset, 1)
            await ctx.tick()
            ctx.set(reset, 0)
            expected[:] = [0] * REGISTERS
            check(ctx)

    simulator = Simulator(ResetInserter(reset)(registers))
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
