"""Why the chip stopped, in the order in which faults are told."""

from enum import IntEnum


class Status(IntEnum):
    """Why the chip stopped. Anything but OK raises the interrupt with the command's address.

    A command with several faults stops with the first of them in this order: ILLEGAL_COMMAND; a
    misaligned external address (BUS); ADDRESS; an error response to any of its beats (BUS); TILE,
    TABLE, STREAM, RECORD. One exception: a MATVEC of more than MAX_TILE_ROWS rows stops with RECORD
    or, if a stream is corrupt too, with STREAM.

    A tagged transfer fails behind its command. The chip stops with its fault when it next decodes a
    command, or while a command waits for the DMA; a command that finds a fault of its own before is
    told instead. What failing commands write, and the memories that a failed transfer was to fill,
    are undefined.

    PARITY comes from outside the program, and stops it at once; the twin, and a chip without
    parity (`rtl.shared.options`), never stop with it. BUS_TIMEOUT comes from a bus that does
    nothing for as long as register WATCHDOG allows, and is told as an error response (BUS) is; the
    twin, whose memory always answers, never stops with it either.
    """

    OK = 0
    ILLEGAL_COMMAND = 1
    ADDRESS = 2
    BUS = 3
    TILE = 4
    TABLE = 5
    STREAM = 6
    RECORD = 7
    PARITY = 8
    BUS_TIMEOUT = 9


WATCHDOG_BITS = 24
"""Of the number of cycles that BUS_TIMEOUT takes, which the host sets."""


SUMMARIES = {
    Status.OK: "none",
    Status.ILLEGAL_COMMAND: "unknown opcode, stray bits, or a program counter outside the program",
    Status.ADDRESS: "a local address is misaligned or outside its memory, or a size is zero",
    Status.BUS: "a misaligned external address, or an error response of the bus, which alone knows"
    " where memory ends",
    Status.TILE: "a tile that does not fit its transfer or the banks, or has a wrong bit",
    Status.TABLE: "a matrix block that no decoder may use",
    Status.STREAM: "a corrupt bit stream",
    Status.RECORD: "a row record, destination or scale out of range",
    Status.PARITY: "a word read from a memory of the chip had a wrong bit (only with parity)",
    Status.BUS_TIMEOUT: "the bus was silent for longer than WATCHDOG allows",
}
"""What each status means."""
