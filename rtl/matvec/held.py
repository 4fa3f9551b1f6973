"""What WINDOW and POSITIONS leave behind for the commands that follow."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.chip.isa import OPCODES
from npu.chip.params import ChipParams
from npu.chip.windows import ROW_BITS
from rtl.shared.commands import COMMAND_BITS, fields, is_opcode

ADDRESSES = ("width", "x", "dx", "pitch", "a_x", "a_y", "dst_x", "dst_y")
"""Fields that count modulo the chip's addresses."""


def held_layout(name: str, params: ChipParams) -> data.StructLayout:
    """The fields of a command that are held, no wider than the chip needs them.

    They are read as signless numbers: what is added counts modulo its sum.
    """
    widths = {}
    for field in OPCODES[name].fields:
        most = params.address_bits if field.name in ADDRESSES else field.width
        widths[field.name] = min(field.width, most)
    return data.StructLayout(widths)


class Held(wiring.Component):
    """Keeps a WINDOW or POSITIONS, unless it is refused; reset leaves what is held.

    A command ends in the cycle behind its `start`, timing.SET_UP cycles in all.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    start : In, a WINDOW or POSITIONS begins.
    cmd : In, stable from `start` to `done`.
    done, refused : Out.
    window, positions : Out, `held_layout`, but `length` less one.
    complete : Out, both have been set.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "start": In(1),
                "cmd": In(COMMAND_BITS),
                "done": Out(1),
                "refused": Out(1),
                "window": Out(held_layout("WINDOW", params)),
                "positions": Out(held_layout("POSITIONS", params)),
                "complete": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        window, positions = fields(self.cmd, "WINDOW"), fields(self.cmd, "POSITIONS")
        is_window, wrong = Signal(), Signal()
        m.d.comb += is_window.eq(is_opcode(self.cmd, "WINDOW"))
        zeros = {
            "WINDOW": (window.ny, window.nx, window.length),
            "POSITIONS": (positions.count_x, positions.count_y),
        }
        too_large = Cat(
            window.width[self._params.address_bits - 1 :], window.height[ROW_BITS - 1 :]
        )
        with m.If(is_window):
            m.d.sync += wrong.eq(
                Cat(field == 0 for field in zeros["WINDOW"]).any() | too_large.any()
            )
        with m.Else():
            m.d.sync += wrong.eq(Cat(field == 0 for field in zeros["POSITIONS"]).any())
        m.d.sync += self.done.eq(self.start)
        m.d.comb += self.refused.eq(self.done & wrong)

        keep = self.done & ~wrong
        known = [Signal(name=f"known_{i}", reset_less=True) for i in range(2)]
        m.d.comb += self.complete.eq(known[0] & known[1])
        for number, (name, source, mine) in enumerate(
            (("WINDOW", window, is_window), ("POSITIONS", positions, ~is_window))
        ):
            held = Signal(held_layout(name, self._params), name=f"held_{number}", reset_less=True)
            with m.If(keep & mine):
                m.d.sync += known[number].eq(1)
                for field in OPCODES[name].fields:
                    value = getattr(source, field.name)
                    less = 1 if field.name == "length" else 0
                    m.d.sync += getattr(held, field.name).eq(value - less)
            m.d.comb += (self.window, self.positions)[number].eq(held)
        return m
