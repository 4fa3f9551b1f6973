"""int32 sums in SRAM: what a command with `raw` stores, and what one with `add` adds to its own.

The sum of a row lies where its element goes, four times as far from `sums`: at `sums` + 4 * (the
element's address), modulo 2^ChipParams.address_bits.
"""

from typing import NamedTuple

import numpy as np

from npu.chip.isa import Command, ElementType
from npu.chip.opcode import SUM_BYTES
from npu.chip.params import ChipParams
from npu.chip.windows import Walk


class Sums(NamedTuple):
    """Where the sums of a command lie.

    Attributes
    ----------
    raw, add : they are written, read.
    first : (positions,) int64, address of the sum of destination 0 at each position, not wrapped.
    step : bytes from a destination's sum to the next one's.
    mask : addresses count modulo `mask` + 1.
    size : of SRAM, in bytes.
    """

    raw: bool
    add: bool
    first: np.ndarray
    step: int
    mask: int
    size: int

    @property
    def row_bytes(self) -> int:
        """Bytes that a row reads and writes."""
        return self.add * SUM_BYTES + (SUM_BYTES if self.raw else self.step // SUM_BYTES)

    def of(self, destinations: np.ndarray) -> np.ndarray:
        """(positions, n) int64, addresses of the sums of (n,) destinations."""
        return (self.first[:, np.newaxis] + self.step * destinations) & self.mask

    def outside(self, destinations: np.ndarray) -> np.ndarray:
        """(n,) bool, whether a destination's sum leaves SRAM at some position."""
        return np.any(self.of(destinations) > self.size - SUM_BYTES, axis=0)


def sums_of(cmd: Command, walk: Walk | None, params: ChipParams) -> Sums | None:
    """Those of a MATVEC; None if it has none. walk : of a windowed one."""
    raw, add = bool(cmd.values["raw"]), bool(cmd.values["add"])
    if not (raw or add):
        return None
    bases = np.array([cmd.values["dst"]]) if walk is None else walk.destinations()
    step = SUM_BYTES * ElementType(cmd.values["dst_type"]).n_bytes
    first = cmd.values["sums"] + SUM_BYTES * bases
    return Sums(raw, add, first, step, (1 << params.address_bits) - 1, params.sram_bytes)
