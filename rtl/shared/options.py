"""What an integrator chooses about the RTL that changes no program, no image and no cycle."""

from dataclasses import dataclass
from typing import Literal, get_args

from npu.errors import NpuError

Protection = Literal["none", "parity"]
Reset = Literal["sync", "async_low"]
GATED = ("matvec", "vector", "dma")
"""Units whose clocks may be gated."""
MOST_PINS = 1024
"""Of each direction, at a block RAM."""


def reset_of(word: str) -> Reset:
    """The reset that the command line calls `sync` or `async-low`."""
    return "async_low" if word == "async-low" else "sync"


class OptionsError(NpuError):
    """An option has a value that there is not."""


@dataclass(frozen=True)
class Options:
    """How the chip is built into a design. The defaults are the plain chip.

    No option changes a cycle of a program that ends without an error, so none is a parameter of the
    chip (`npu.chip.params`), and twin and compiler know nothing of them.

    Attributes
    ----------
    protection : "parity" keeps a bit for every byte of every block RAM; a word that is read with a
        wrong one stops the program with Status.PARITY. Behind a hardware reset the memories are
        filled with zeros, with STATUS.resetting high meanwhile.
    reset : "async_low" makes of the input `rst` an `rst_n`, which resets every register without a
        clock; its release is synchronised inside.
    crossing : both buses and the interrupt have a clock of their own, `aclk`, in any ratio to that
        of the chip; to a program the bus is slower by the way through FIFOs.
    ram_pins : inputs and outputs that every block RAM has besides, for a macro's BIST, repair,
        sleep or status; 0 to MOST_PINS of each. The top module has `ram_pins_in`, which goes to
        all of them, and `ram_pins_out` with a slice for each (`rtl.verilog.ram_pins`).
    clock_gating : the units of GATED have clocks of their own, which stand while nothing in the
        unit changes (`rtl.shared.clock_gate`); for an ASIC. It goes with one clock and a
        synchronous reset.

    Raises OptionsError for any other value.
    """

    protection: Protection = "none"
    reset: Reset = "sync"
    crossing: bool = False
    ram_pins: tuple[int, int] = (0, 0)
    clock_gating: bool = False

    def __post_init__(self) -> None:
        for name, kind in (("protection", Protection), ("reset", Reset)):
            known, value = get_args(kind), getattr(self, name)
            if value not in known:
                raise OptionsError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        for way, number in zip(("inputs", "outputs"), self.ram_pins, strict=True):
            if not 0 <= number <= MOST_PINS:
                raise OptionsError(
                    f"{way} of ram_pins must be 0 to {MOST_PINS} for each block RAM, not {number}"
                )
        if self.clock_gating and (self.crossing or self.reset != "sync"):
            raise OptionsError(
                "clock_gating goes with one clock and a synchronous reset; leave out crossing and "
                "an asynchronous reset"
            )

    @property
    def parity(self) -> bool:
        """Whether memories have parity."""
        return self.protection == "parity"


PLAIN = Options()


def is_plain(options: Options) -> bool:
    """Whether clock and reset are those of the plain chip: one clock, a synchronous reset."""
    return options.reset == "sync" and not options.crossing
