"""What an integrator chooses about the RTL that changes no program, no image and no cycle."""

from dataclasses import dataclass
from typing import Literal, get_args

from npu.errors import NpuError

Protection = Literal["none", "parity"]


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

    Raises OptionsError for any other value.
    """

    protection: Protection = "none"

    def __post_init__(self) -> None:
        known = get_args(Protection)
        if self.protection not in known:
            raise OptionsError(
                f"protection must be one of {', '.join(known)}, not {self.protection!r}"
            )

    @property
    def parity(self) -> bool:
        """Whether memories have parity."""
        return self.protection == "parity"


PLAIN = Options()
