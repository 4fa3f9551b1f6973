"""How much a start may take until the twin stops it."""

from dataclasses import dataclass

from npu.chip import timing
from npu.errors import MachineError

NO_END = 1 << 62
"""Cycles of a start without a limit."""


@dataclass(frozen=True)
class Budget:
    """The most cycles and commands of a start, its HALT among them.

    `given`: somebody has set them; else they follow from an image.
    """

    cycles: int
    commands: int
    given: bool = False

    @staticmethod
    def of_cycles(cycles: int) -> "Budget":
        """A budget in cycles alone: no command takes less than a scalar one."""
        shortest = timing.DECODE + timing.SCALAR
        return Budget(cycles, cycles // shortest + 1, given=True)

    def used_up(self) -> MachineError:
        """The error of a start that needs more."""
        if self.cycles >= NO_END:
            return MachineError(f"no HALT within {self.commands} commands")
        if self.given:
            return MachineError(
                f"no HALT within {self.cycles:,} cycles, the limit that was set; if the program "
                "is right, raise it with --max-cycles"
            )
        return MachineError(
            f"no HALT within {self.cycles:,} cycles or {self.commands:,} commands, more than a "
            "program of this image can need; if it is right, raise the limit with --max-cycles"
        )
