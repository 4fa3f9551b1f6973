"""Windows and positions: what a windowed MATVEC reads, and where what it computes goes.

A window is `ny` x `nx` segments of `length` bytes, each on whole bus words of the activation copy.
Addresses and places in a row count modulo 2^ChipParams.address_bits, rows of a tensor modulo
2^ROW_BITS; a tensor's width and height are less than half of that, so that what is negative lies
outside. See `npu/design/0010-windows-loops-and-a-scalar-core.md`.
"""

from typing import NamedTuple

import numpy as np

from npu.chip.isa import Command
from npu.chip.params import ChipParams

ROW_BITS = 16


class Walk(NamedTuple):
    """The numbers of a windowed command and of the WINDOW and POSITIONS before it.

    Attributes
    ----------
    a, dst : of the command.
    ny, nx, length, width, height, x, y, dx, dy, pitch : of WINDOW.
    count_x, count_y, a_x, a_y, y_step, dst_x, dst_y : of POSITIONS.
    bus_bytes, address_bits : of the chip.
    """

    a: int
    dst: int
    ny: int
    nx: int
    length: int
    width: int
    height: int
    x: int
    y: int
    dx: int
    dy: int
    pitch: int
    count_x: int
    count_y: int
    a_x: int
    a_y: int
    y_step: int
    dst_x: int
    dst_y: int
    bus_bytes: int
    address_bits: int

    @property
    def positions(self) -> int:
        """How often the matrix runs."""
        return self.count_x * self.count_y

    @property
    def columns(self) -> int:
        """Columns that a window fills."""
        return self.ny * self.nx * -(-self.length // self.bus_bytes) * self.bus_bytes

    def destinations(self) -> np.ndarray:
        """(positions,) int64: where the first element of each goes."""
        x = np.arange(self.count_x, dtype=np.int64) * self.dst_x
        y = np.arange(self.count_y, dtype=np.int64) * self.dst_y
        return (self.dst + y[:, None] + x).reshape(-1) & ((1 << self.address_bits) - 1)

    def reads(self) -> np.ndarray:
        """(positions,) int64: words of SRAM that each reads.

        A segment's bytes are shifted to the start of a bus word: where its last word needs bytes
        of two words of SRAM, a read more.
        """
        bus = self.bus_bytes
        tail = (self.length - 1) % bus
        rows = np.arange(self.ny, dtype=np.int64)[:, None] * self.pitch
        segments = (rows + np.arange(self.nx, dtype=np.int64) * self.dx).reshape(-1)
        offsets = (np.arange(bus)[:, None] + segments) % bus
        longer = np.count_nonzero(offsets + tail >= bus, axis=1)
        x = np.arange(self.count_x, dtype=np.int64) * self.a_x
        y = np.arange(self.count_y, dtype=np.int64) * self.a_y
        begins = (self.a + y[:, None] + x).reshape(-1) % bus
        return self.columns // bus + longer[begins]


def walk(cmd: Command, window: Command, positions: Command, params: ChipParams) -> Walk:
    """Of a windowed MATVEC behind its WINDOW and POSITIONS."""
    held = window.values | positions.values
    return Walk(
        a=cmd.values["a"],
        dst=cmd.values["dst"],
        bus_bytes=params.bus_bytes,
        address_bits=params.address_bits,
        **held,
    )


def refused(cmd: Command, params: ChipParams) -> str | None:
    """What is wrong with a WINDOW or POSITIONS, None if it may be held."""
    v = cmd.values
    for name in ("ny", "nx", "length", "count_x", "count_y"):
        if v.get(name) == 0:
            return f"{name} is 0"
    for name, bits in (("width", params.address_bits), ("height", ROW_BITS)):
        if v.get(name, 0) >> (bits - 1):
            return f"{name} {v[name]} is more than {(1 << (bits - 1)) - 1}"
    return None
