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
    """

    OK = 0
    ILLEGAL_COMMAND = 1  # unknown opcode, stray bits, or a program counter outside the program
    ADDRESS = 2  # a local address is misaligned or outside its memory, or a size is zero
    BUS = 3  # an external address outside memory, misaligned, or an error response
    TILE = 4  # a tile's directory does not add up to its transfer
    TABLE = 5  # a matrix block that no decoder may use
    STREAM = 6  # a corrupt bit stream
    RECORD = 7  # a row record, destination or scale out of range
