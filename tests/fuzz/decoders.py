"""One input of the fuzzer: bytes as a matrix block and sections, through every decoder we have.

Whatever the bytes are, the software decoder and the twin's lanes either both refuse them or both
find the same weights. A crash, a hang or a difference is a finding.
"""

from dataclasses import dataclass

import numpy as np

from compiler.codec import decode_sections
from npu.chip.lanes import ALL_DONE, NEVER, ONCE, Barrel, run_lanes
from npu.chip.weight_format import (
    PARAM_WORD,
    CodeSet,
    directory_words,
    read_directory,
    unpack_block,
)
from npu.errors import ImageError
from npu.twin.streams import Codes, Sections, decode, locate

HEAD_BYTES = 6
LANES = (1, 2, 4)
MAX_ROWS = 24
MAX_COLUMNS = 48
RESULT_FIFO = 16


@dataclass(frozen=True)
class Input:
    """What the bytes say: lanes, threads, columns, a block and as many section words per lane."""

    lanes: int
    threads: int
    columns: int
    block: np.ndarray
    sections: np.ndarray

    @classmethod
    def of(cls, data: bytes) -> "Input | None":
        """None for bytes that are too short to say anything."""
        if len(data) < HEAD_BYTES:
            return None
        lanes, threads = LANES[data[0] % 3], 2 + data[1] % 2
        at = HEAD_BYTES + (data[3] | data[4] << 8) % (len(data) - HEAD_BYTES + 1)
        block = np.frombuffer(data[HEAD_BYTES:at], np.uint8)
        block = np.resize(np.append(block, np.zeros(PARAM_WORD, np.uint8)), len(block) // 8 * 8)
        words = (len(data) - at) // (4 * lanes)
        sections = np.frombuffer(data[at : at + 4 * lanes * words], "<u4").reshape(lanes, words)
        return cls(lanes, threads, 1 + data[2] % MAX_COLUMNS, block, sections)

    def to_bytes(self) -> bytes:
        """The bytes of an input, for the seeds."""
        head = bytes([LANES.index(self.lanes), self.threads - 2, self.columns - 1])
        head += len(self.block).to_bytes(2, "little") + b"\0"
        return head + self.block.tobytes() + self.sections.astype("<u4").tobytes()


def decode_all(data: bytes) -> str:
    """Run an input; returns what became of it. Raises AssertionError for a difference."""
    found = Input.of(data)
    if found is None:
        return "short"
    block = unpack_block(found.block, 0)
    if isinstance(block, str):
        return "block refused"
    sets, _ = block
    if found.sections.shape[1] < directory_words(found.threads):
        return "no directory"
    slots = [
        read_directory(section, thread)
        for section in found.sections
        for thread in range(found.threads)
    ]
    rows = [int(slot[2]) for slot in slots]
    bases = np.cumsum([0, *rows])
    if bases[-1] > MAX_ROWS:
        return "too many rows"
    if any(n and slot[3] != base for n, slot, base in zip(rows, slots, bases, strict=False)):
        # The chip reads other records then; the software expects those of the compiler.
        return "other records"
    slot_rows = [np.arange(base, base + n) for n, base in zip(rows, bases, strict=False)]
    software = _software(found, sets, slot_rows, bases)
    lanes = _twin(found, sets)
    assert (software is None) == (lanes is None), "one decoder refuses what the other takes"
    if software is None or lanes is None:
        return "sections refused"
    assert np.array_equal(software, lanes), "the decoders find different weights"
    return "decoded"


def _software(
    found: Input, sets: tuple[CodeSet, ...], slot_rows: list[np.ndarray], bases: np.ndarray
) -> np.ndarray | None:
    weights = np.zeros((int(bases[-1]), found.columns), np.int8)
    try:
        decode_sections(list(found.sections), slot_rows, sets, weights)
    except ImageError:
        return None
    return weights


def _twin(found: Input, sets: tuple[CodeSet, ...]) -> np.ndarray | None:
    sections = Sections(np.ascontiguousarray(found.sections, np.uint32), 0, found.threads)
    slots = locate(sections)
    if slots.fault:
        return None
    runs, values = (Codes.of(tables) for tables in zip(*sets, strict=True))
    decoded = decode(sections, slots, runs, values, found.columns, NEVER)
    # Whatever the words are, the lanes end, and by a slot's fault exactly if there is one.
    lanes = len(found.sections)
    run = run_lanes(Barrel(lanes, found.threads, RESULT_FIFO), decoded.turns, ONCE, NEVER)
    assert (run.stopped == ALL_DONE) == (not decoded.faults.any()), "lanes that hold nothing stop"
    return None if decoded.faults.any() else decoded.weights
