"""What a decoder or the requantiser finds wrong, wherever it is: chip, twin, software.

The chip stops with Status.STREAM or Status.RECORD and does not say which; twin and software do.
"""

from enum import IntEnum


class StreamFault(IntEnum):
    """How the decoding of a slot ended."""

    NONE = 0
    OUTSIDE = 1  # the slot's streams leave the section, or the bank that it lies in
    OVERRUN = 2  # a symbol runs past the end of its stream
    COLUMN = 3  # a run leads past the next row's last column
    LEFTOVER = 4  # all rows are complete, or there are none, and bits remain
    # What only software can know, from the rows that the compiler dealt to the slot.
    ROWS = 5  # the directory counts other rows
    BASE = 6  # the directory names other row records


class RecordFault(IntEnum):
    """What is wrong with a row's record; of several, the first."""

    NONE = 0
    OUTSIDE = 1  # it lies outside parameter memory
    INDEX = 2  # its destination or its scale is not there
    SCALE = 3  # its scale is none that the requantiser knows


STREAM_REASONS = {
    StreamFault.OUTSIDE: "a stream ends outside the bank",
    StreamFault.OVERRUN: "a stream runs past its end",
    StreamFault.COLUMN: "a column lies outside the input vector",
    StreamFault.LEFTOVER: "a stream is not used up at the end of its rows",
}
RECORD_REASONS = {
    RecordFault.OUTSIDE: "a row record lies outside parameter memory",
    RecordFault.INDEX: "a destination or scale index is out of range",
    RecordFault.SCALE: "a scale is out of range",
}
"""What the twin says of the chip's faults."""
