"""A compressed matrix: sections for the lanes' weight banks, and the way back to its weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import STREAMS, Status, read_directory, read_slot, write_slot
from compiler.codec.symbols import as_coded, make_plan, row_sizes
from compiler.codec.tables import choose_tables
from npu.errors import CapacityError, ImageError
from npu.format import (
    MAX_SECTION_BITS,
    MAX_SLOT_ROWS,
    MAX_TILE_ROWS,
    START_BITS,
    WORD_BITS,
    CodeTable,
    block_bytes,
    directory_words,
    tile_directory_bytes,
)

_MAX_BUS_WORDS = 0xFFFF  # a section's size in a tile's directory is a uint16


@dataclass(frozen=True)
class Stats:
    """Where the bits of a packed matrix go, and how far they are from its entropy.

    Attributes
    ----------
    block_bits : the matrix block, without scales.
    tile_directory_bits, section_directory_bits, run_bits, value_bits, padding_bits : the tile.
    h0_bits : zeroth-order entropy of all weights, zeros included.
    nonzeros, symbols : weights that are not zero, and symbols coded for them (decode cycles).
    """

    block_bits: int
    tile_directory_bits: int
    section_directory_bits: int
    run_bits: int
    value_bits: int
    padding_bits: int
    h0_bits: float
    nonzeros: int
    symbols: int

    @property
    def total_bits(self) -> int:
        return (
            self.block_bits
            + self.tile_directory_bits
            + self.section_directory_bits
            + self.run_bits
            + self.value_bits
            + self.padding_bits
        )

    @property
    def ratio(self) -> float:
        """Bits over entropy; infinite for a matrix of one value."""
        return self.total_bits / self.h0_bits if self.h0_bits else float("inf")


def entropy_bits(weights: np.ndarray) -> float:
    """Zeroth-order entropy of int8 weights, zeros included, in bits for all of them."""
    counts = np.bincount(np.asarray(weights).reshape(-1).view(np.uint8), minlength=256)
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / max(1, counts.sum()))).sum()) + 0.0


@dataclass(frozen=True, eq=False)
class Packed:
    """A matrix in the compressed format.

    Attributes
    ----------
    shape : (rows, columns).
    lanes, threads : slot = lane * threads + thread.
    slot_rows : lanes * threads int64 arrays, the matrix rows of a slot in decode order.
    run, value : the code tables.
    sections : one uint32 array per lane: directory and streams.
    symbols_per_slot : (lanes * threads,) int64: decode cycles of a slot.
    """

    shape: tuple[int, int]
    lanes: int
    threads: int
    slot_rows: tuple[np.ndarray, ...]
    run: CodeTable
    value: CodeTable
    sections: tuple[np.ndarray, ...]
    symbols_per_slot: np.ndarray

    def decode(self) -> np.ndarray:
        """The weights, (rows, columns) int8. Raises ImageError for damaged sections."""
        for kind, table in zip(STREAMS, (self.run, self.value), strict=True):
            if problem := table.problem():
                raise ImageError(f"{kind} code: {problem}")
        weights = np.zeros((self.shape[0], max(1, self.shape[1])), np.int8)
        bases = np.cumsum([0, *map(len, self.slot_rows)])
        for lane, section in enumerate(self.sections):
            slots = slice(lane * self.threads, (lane + 1) * self.threads)
            decode_section(
                section,
                lane,
                self.slot_rows[slots],
                int(bases[slots.start]),
                self.run,
                self.value,
                weights,
            )
        return weights[:, : self.shape[1]]

    def tile(self, bus_bytes: int) -> bytes:
        """The sections as they lie in external memory: a directory, each padded to a bus word.

        bus_bytes : a multiple of 4. Raises CapacityError for more bus words than a section's
        directory entry holds.
        """
        if bus_bytes < 4 or bus_bytes % 4:
            raise ValueError(f"bus_bytes must be a multiple of 4, not {bus_bytes}")
        padded = [_padded(section, bus_bytes) for section in self.sections]
        bus_words = [len(data) // bus_bytes for data in padded]
        if max(bus_words, default=0) > _MAX_BUS_WORDS:
            raise CapacityError(
                f"a section of {max(bus_words)} bus words, at most {_MAX_BUS_WORDS}: "
                "split the matrix into smaller tiles"
            )
        directory = np.array(bus_words, "<u2").tobytes()
        size = tile_directory_bytes(self.lanes, bus_bytes)
        return directory.ljust(size, b"\0") + b"".join(padded)

    def stats(self, bus_bytes: int) -> Stats:
        """Every bit of the matrix in parameter and external memory, scales and rows not counted."""
        weights = self.decode()
        run_bits = value_bits = 0
        for section in self.sections:
            for thread in range(self.threads):
                start, middle, end, _, _ = read_directory(section, self.threads, thread)
                run_bits += middle - start
                value_bits += end - middle
        sections = 8 * sum(len(_padded(section, bus_bytes)) for section in self.sections)
        directories = self.lanes * directory_words(self.threads) * WORD_BITS
        return Stats(
            block_bits=8 * block_bytes(len(self.run.entries), len(self.value.entries), 0),
            tile_directory_bits=8 * tile_directory_bytes(self.lanes, bus_bytes),
            section_directory_bits=directories,
            run_bits=run_bits,
            value_bits=value_bits,
            padding_bits=sections - directories - run_bits - value_bits,
            h0_bits=entropy_bits(weights),
            nonzeros=int(np.count_nonzero(weights)),
            symbols=int(self.symbols_per_slot.sum()),
        )


def _padded(section: np.ndarray, bus_bytes: int) -> bytes:
    data = section.astype("<u4").tobytes()
    return data.ljust(-(-len(data) // bus_bytes) * bus_bytes, b"\0")


def encode(
    weights: np.ndarray,
    slot_rows: Sequence[np.ndarray],
    lanes: int,
    threads: int,
    tables: tuple[CodeTable, CodeTable] | None = None,
) -> Packed:
    """Compress a matrix whose rows are dealt to slots.

    weights : (rows, columns) int8. slot_rows : lanes * threads arrays that together are a
    permutation of the rows; slot = lane * threads + thread. tables : (run, value), by default the
    best for this matrix.

    Raises CapacityError when a section, a slot or the matrix is too large for its directory, and
    ValueError when `tables` cannot express a weight.
    """
    coded = as_coded(weights)
    rows, columns = coded.shape
    slots = tuple(np.asarray(slot, np.int64).reshape(-1) for slot in slot_rows)
    if len(slots) != lanes * threads:
        raise ValueError(f"{len(slots)} slots, must be {lanes} lanes * {threads} threads")
    dealt = np.concatenate([np.zeros(0, np.int64), *slots])
    if not np.array_equal(np.sort(dealt), np.arange(rows)):
        raise ValueError(f"slot_rows must deal each of the {rows} rows to one slot")
    if rows > MAX_TILE_ROWS:
        raise CapacityError(
            f"{rows} rows in one tile, at most {MAX_TILE_ROWS}: split the matrix into tiles"
        )
    for slot, dealt_rows in enumerate(slots):
        if len(dealt_rows) > MAX_SLOT_ROWS:
            raise CapacityError(
                f"lane {slot // threads}, thread {slot % threads}: {len(dealt_rows)} rows, "
                f"at most {MAX_SLOT_ROWS}: split the matrix into tiles"
            )
    run, value = tables or choose_tables([coded])
    plan = make_plan(run, value, columns)
    sizes = row_sizes(coded, plan)
    slot_sizes = np.array([sizes[slot].sum(axis=0) for slot in slots]).reshape(-1, 3)
    # Row bases of slots behind the last row may not fit their field; nobody reads them.
    bases = np.cumsum([0, *map(len, slots)]) & (MAX_TILE_ROWS - 1)
    sections = []
    for lane in range(lanes):
        lane_slots = range(lane * threads, (lane + 1) * threads)
        stream_bits = slot_sizes[lane_slots, 1:].reshape(-1)
        starts = directory_words(threads) * WORD_BITS + np.cumsum([0, *stream_bits])
        if starts[-1] > MAX_SECTION_BITS:
            raise CapacityError(
                f"lane {lane}: a section of {starts[-1]} bits, at most {MAX_SECTION_BITS}: "
                "split the matrix into tiles"
            )
        words = np.zeros(-(-int(starts[-1]) // WORD_BITS), np.uint32)
        for thread, slot in enumerate(lane_slots):
            run_start, value_start = int(starts[2 * thread]), int(starts[2 * thread + 1])
            words[2 * thread] = len(slots[slot]) << START_BITS | run_start
            words[2 * thread + 1] = int(bases[slot]) << START_BITS | value_start
            written = write_slot(
                coded,
                slots[slot],
                plan.flagless,
                plan.first,
                plan.run_codes,
                plan.run_lengths,
                plan.value_codes,
                plan.value_lengths,
                words,
                run_start,
                value_start,
            )
            assert written == (value_start, starts[2 * thread + 2])
        words[2 * threads] = starts[-1]
        sections.append(words)
    return Packed(
        shape=(rows, weights.shape[1]),
        lanes=lanes,
        threads=threads,
        slot_rows=slots,
        run=run,
        value=value,
        sections=tuple(sections),
        symbols_per_slot=slot_sizes[:, 0].copy(),
    )


def decode_section(
    words: np.ndarray,
    lane: int,
    slot_rows: Sequence[np.ndarray],
    row_base: int,
    run: CodeTable,
    value: CodeTable,
    weights: np.ndarray,
) -> None:
    """Decode one lane's section into its rows of `weights`.

    words : (n,) uint32. slot_rows : the lane's slots, one per thread. row_base : rows in the slots
    of earlier lanes. run, value : tables whose `problem()` is None. weights : (rows, columns) int8,
    zeroed, columns >= 1.

    Raises ImageError naming lane, thread, stream and bit offset; whatever the words are, nothing
    outside the section is read.
    """
    threads = len(slot_rows)
    if len(words) < directory_words(threads):
        raise ImageError(
            f"lane {lane}: a section of {len(words)} words ends inside its directory of "
            f"{directory_words(threads)} words; compile the model again"
        )
    columns = weights.shape[1]
    for thread, rows in enumerate(slot_rows):
        status, stream, bit = read_slot(
            words,
            threads,
            thread,
            directory_words(threads) * WORD_BITS,
            rows,
            columns,
            run.limits(),
            run.offsets(),
            run.entries,
            run.raw_bits,
            value.limits(),
            value.offsets(),
            value.entries,
            value.raw_bits,
            weights,
        )
        found_rows, found_base = (
            int(field) for field in read_directory(words, threads, thread)[3:]
        )
        what = {
            Status.OK: "",
            Status.START: f"a stream leaves the section of {len(words) * WORD_BITS} bits",
            Status.ROWS: f"the directory counts {found_rows} rows, must be {len(rows)}",
            Status.OVERRUN: "a symbol runs past the end of the stream",
            Status.COLUMN: f"a run leaves the matrix of {columns} columns",
            Status.LEFTOVER: "bits are left over behind the last row",
        }[Status(status)]
        if not what and len(rows) and found_base != row_base:
            bit = (2 * thread + 1) * WORD_BITS
            what = f"the directory says row base {found_base}, must be {row_base}"
        if what:
            raise ImageError(
                f"lane {lane}, thread {thread}, {STREAMS[stream]} stream, bit {bit}: {what}; "
                "the image is damaged, compile the model again"
            )
        row_base += len(rows)
