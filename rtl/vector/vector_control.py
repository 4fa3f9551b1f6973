"""Control of the vector unit's elements: what a command asks of them, cycle by cycle."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npu.chip import timing
from npu.chip.isa import OPCODES
from npu.model.numerics import INT16_MAX, INT16_MIN
from rtl.shared.commands import COMMAND_BITS, fields, is_opcode
from rtl.shared.rescale import split_shift
from rtl.vector.alu import Control

ONE = 1 << 31  # the multiplier that leaves a value as it is


# What no pass of a command changes.
UNCHANGED = (
    "select",
    "maximum",
    "subtract",
    "dot",
    "pair",
    "by_b",
    "factor",
    "head_room",
    "half_up",
    "lo",
    "hi",
    "lookup",
)


class VectorControl(wiring.Component):
    """Turns a vector command into the elements' `Control`.

    Members
    -------
    cmd : In, stable from two cycles before the first group's address on.
    phase : In, cycles modulo ADD_PASSES, one-hot: bit 0 in the cycle of a group's address. Only an
        add's passes depend on it.
    control : Out, registered; for the operands one cycle behind the address, see `Alu`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "cmd": In(COMMAND_BITS),
                "phase": In(timing.ADD_PASSES),
                "control": Out(Control),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        cmd, phase, held = self.cmd, self.phase, self.control
        add = Signal()
        m.d.sync += add.eq(is_opcode(cmd, *timing.SUMS))
        # What no pass changes. Signals of their own: bits of a struct that nothing drives become
        # processes without sensitivity in Verilog.
        now = {
            name: Signal(Control.as_shape()[name].shape, name=f"now_{name}") for name in UNCHANGED
        }
        offset, tanh, int8 = Signal(signed(10)), Signal(), Signal()
        main_multiplier, main_zero = Signal(32, init=ONE), Signal(signed(16))
        shift = Signal(signed(6))
        b_zero = Signal(signed(10))
        m.d.comb += [
            main_multiplier.eq(ONE),
            now["factor"].eq(1),
            now["lo"].eq(INT16_MIN),
            now["hi"].eq(INT16_MAX),
        ]

        def requantise(v) -> None:
            m.d.comb += [
                now["lo"].eq(v.lo),
                now["hi"].eq(v.hi),
                offset.eq(-v.a_zero),
                main_zero.eq(v.dst_zero),
                main_multiplier.eq(v.multiplier),
                shift.eq(v.shift),
            ]

        summand = fields(cmd, "VADD")
        with m.Switch(cmd[:8]):
            for name in timing.SUMS:
                with m.Case(OPCODES[name].code):
                    requantise(summand)
                    m.d.comb += [
                        now["head_room"].eq(1),
                        now["subtract"].eq(name == "VSUB"),
                        b_zero.eq(summand.b_zero),
                    ]
            for name in ("VMUL", "VDOT"):
                with m.Case(OPCODES[name].code):
                    requantise(fields(cmd, name))
                    m.d.comb += [
                        now["by_b"].eq(1),
                        now["dot"].eq(name == "VDOT"),
                        b_zero.eq(fields(cmd, name).b_zero),
                    ]
            with m.Case(OPCODES["VRESCALE"].code):
                requantise(fields(cmd, "VRESCALE"))
            with m.Case(OPCODES["VADDS"].code):
                m.d.comb += now["pair"].eq(1)
            for name in ("VMAX", "VMIN"):
                with m.Case(OPCODES[name].code):
                    m.d.comb += [now["select"].eq(1), now["maximum"].eq(name == "VMAX")]
            for name in ("VSIGMOID", "VTANH"):
                with m.Case(OPCODES[name].code):
                    v = fields(cmd, name)
                    m.d.comb += [
                        now["factor"].eq(v.multiplier),
                        shift.eq(-v.shift),
                        now["half_up"].eq(1),
                        now["lookup"].eq(1),
                        tanh.eq(name == "VTANH"),
                    ]
            with m.Case(OPCODES["VLUT"].code):
                m.d.comb += [offset.eq(128), now["lookup"].eq(1), int8.eq(1)]
            with m.Case(OPCODES["VFILL"].code):
                m.d.comb += [main_multiplier.eq(0), main_zero.eq(fields(cmd, "VFILL").imm)]

        # Decoding takes a cycle of its own.
        offset, main_multiplier, main_zero, shift, b_zero = (
            self._after(m, value) for value in (offset, main_multiplier, main_zero, shift, b_zero)
        )

        # The control of the next cycle. Phase 0 is the address's; operands follow in 1 (a) and
        # 2 (b), their sum enters the requantiser in 2 + 3k. See `Alu` for the cycles between.
        def by_pass(first: int, a_value, b_value, main):
            """`a_value` in phase `first`, `b_value` in the next, `main` in the one before."""
            at = (first - 1) % timing.ADD_PASSES
            chosen = Mux(
                phase[at], a_value, Mux(phase[(at + 1) % timing.ADD_PASSES], b_value, main)
            )
            return Mux(add, chosen, main)

        input_shift = Signal(signed(6))
        output_shift = Signal(signed(6))
        m.d.comb += [
            input_shift.eq(by_pass(0, summand.a_shift, summand.b_shift, shift)),
            output_shift.eq(by_pass(1, summand.a_shift, summand.b_shift, shift)),
        ]
        m.d.sync += [
            *(held[name].eq(value) for name, value in now.items()),
            held.function.tanh.eq(tanh),
            held.function.int8.eq(int8),
            held.swap.eq(add & phase[1]),
            held.offset.eq(Mux(add & phase[1], -b_zero, offset)),
            held.b_offset.eq(-b_zero),
            held.add_results.eq(now["dot"] | (add & phase[1])),
            held.left.eq(split_shift(input_shift)[0]),
            held.multiplier.eq(
                by_pass(1, summand.a_multiplier, summand.b_multiplier, main_multiplier)
            ),
            held.right.eq(split_shift(output_shift)[1]),
            held.zero.eq(by_pass(2, 0, 0, main_zero)),
        ]
        return m

    def _after(self, m: Module, value: Signal) -> Signal:
        delayed = Signal(value.shape(), name=f"{value.name}_held")
        m.d.sync += delayed.eq(value)
        return delayed
