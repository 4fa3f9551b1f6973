"""A compressed matrix: sections for the lanes' weight banks, and the way back to its weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import measure_slots, write_slots
from compiler.codec.parallel import mapped, parts
from compiler.codec.reading import STREAMS, decode_sections
from compiler.codec.symbols import (
    CYCLE_BITS,
    NO_CODE,
    Plan,
    as_coded,
    check_cycle_bits,
    joined,
    make_plan,
)
from compiler.codec.tables import choose_sets
from compiler.codec.tile import bank_words, pack_tile, read_slots, tile_words
from npu.errors import CapacityError, ImageError
from npu.format import (
    MAX_SLOT_ROWS,
    MAX_STREAM_BITS,
    MAX_TILE_ROWS,
    SETS,
    STREAM_BITS,
    WORD_BITS,
    CodeSet,
    block_bytes,
    directory_words,
    set_of_lane,
)


@dataclass(frozen=True)
class Stats:
    """Where the bits of a packed matrix go, and how far they are from its entropy.

    Attributes
    ----------
    block_bits : the matrix block, without scales.
    directory_bits, run_bits, value_bits, padding_bits : the tile.
    h0_bits : zeroth-order entropy of all weights, zeros included.
    nonzeros, symbols : weights that are not zero, and weights coded, explicit zeros among them.
    """

    block_bits: int
    directory_bits: int
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
            + self.directory_bits
            + self.run_bits
            + self.value_bits
            + self.padding_bits
        )

    @property
    def ratio(self) -> float:
        """Bits over entropy; infinite for a matrix of one value."""
        return self.total_bits / self.h0_bits if self.h0_bits else float("inf")


def entropy_bits(*matrices: np.ndarray) -> float:
    """Zeroth-order entropy of int8 matrices, zeros included, in bits for all their weights.

    Each matrix is counted for itself: what a product stacks, such as the gates of an LSTM, stays
    apart. This is the entropy that every report means.
    """
    total = 0.0
    for weights in matrices:
        counts = np.bincount(np.asarray(weights).reshape(-1).view(np.uint8), minlength=256)
        counts = counts[counts > 0]
        total -= float((counts * np.log2(counts / max(1, counts.sum()))).sum())
    return total


@dataclass(frozen=True, eq=False)
class Packed:
    """A matrix in the compressed format.

    Attributes
    ----------
    shape : (rows, columns).
    lanes, threads : slot = lane * threads + thread.
    slot_rows : lanes * threads int64 arrays, the matrix rows of a slot in decode order.
    sets : the code sets.
    sections : one uint32 array per lane: directory and streams.
    symbols_per_slot : (lanes * threads,) int64: weights coded in a slot. It takes a turn for each,
        and one for the terminator.
    """

    shape: tuple[int, int]
    lanes: int
    threads: int
    slot_rows: tuple[np.ndarray, ...]
    sets: tuple[CodeSet, ...]
    sections: tuple[np.ndarray, ...]
    symbols_per_slot: np.ndarray

    def decode(self, workers: int = 1) -> np.ndarray:
        """The weights, (rows, columns) int8; lanes are decoded on `workers` threads.

        Raises ImageError for damaged tables or sections.
        """
        for number, tables in enumerate(self.sets):
            for kind, table in zip(STREAMS, tables, strict=True):
                if problem := table.problem():
                    raise ImageError(f"set {number}, {kind} code: {problem}")
        weights = np.zeros((self.shape[0], max(1, self.shape[1])), np.int8)
        decode_sections(self.sections, self.slot_rows, self.sets, weights, workers)
        return weights[:, : self.shape[1]]

    def tile(self, bus_bytes: int) -> bytes:
        """The sections as they lie in external memory (`npu.tile`).

        bus_bytes : 4 times a power of two. Raises CapacityError for sections too unlike in length.
        """
        return pack_tile(self.sections, self.threads, _bus_words(bus_bytes))

    def bank_words(self, bus_bytes: int) -> int:
        """Bus words that the sections take in every bank."""
        return bank_words([len(s) for s in self.sections], self.threads, _bus_words(bus_bytes))

    def stats(self, bus_bytes: int) -> Stats:
        """Every bit of the matrix in parameter and external memory, scales and rows not counted."""
        weights = self.decode()
        slots = read_slots(self.sections, self.threads)
        sizes = np.array([len(section) for section in self.sections])
        words, front = tile_words(slots, sizes, self.lanes, _bus_words(bus_bytes))
        _, run_bits, value_bits = slots.sum(axis=0).tolist()
        return Stats(
            block_bits=8 * block_bytes(entry_counts(self.sets), 0),
            directory_bits=front * WORD_BITS,
            run_bits=run_bits,
            value_bits=value_bits,
            padding_bits=(words - front) * WORD_BITS - run_bits - value_bits,
            h0_bits=entropy_bits(weights),
            nonzeros=int(np.count_nonzero(weights)),
            symbols=int(self.symbols_per_slot.sum()),
        )


def _bus_words(bus_bytes: int) -> int:
    """32-bit words of a bus word."""
    words = bus_bytes * 8 // WORD_BITS
    if words < 1 or bus_bytes % 4 or words & (words - 1):
        raise ValueError(f"bus_bytes must be 4 times a power of two, not {bus_bytes}")
    return words


def entry_counts(sets: Sequence[CodeSet]) -> list[tuple[int, int]]:
    """Run and value entries of each set, as `npu.format.block_bytes` counts them."""
    return [(len(run.entries), len(value.entries)) for run, value in sets]


def measure(weights: np.ndarray, rows: np.ndarray, starts: np.ndarray, plan: Plan) -> np.ndarray:
    """(slots, 3) int64: weights coded, run bits and value bits of slots of a coded matrix.

    rows, starts : those of the slots, see `joined`.
    """
    return measure_slots(
        *(weights, rows, starts),
        *(plan.bits, plan.zeros, plan.end_bits, plan.end_zeros, plan.value_lengths),
    )


def encode(
    weights: np.ndarray,
    slot_rows: Sequence[np.ndarray],
    lanes: int,
    threads: int,
    sets: Sequence[CodeSet] | None = None,
    workers: int = 1,
    cycle_bits: int = CYCLE_BITS,
) -> Packed:
    """Compress a matrix whose rows are dealt to slots.

    weights : (rows, columns) int8. slot_rows : lanes * threads arrays that together are a
    permutation of the rows; slot = lane * threads + thread. sets : the code sets, by default one,
    the best for this matrix dealt this way. workers : threads that code lanes. cycle_bits : what a
    lane's cycle is worth in bits, see `compress`.

    Raises CapacityError when a stream, a slot or the matrix is too large for its directory, and
    ValueError when `sets` cannot express a slot.
    """
    check_cycle_bits(cycle_bits)
    coded = as_coded(weights)
    rows, columns = coded.shape
    slots = tuple(np.asarray(slot, np.int64).reshape(-1) for slot in slot_rows)
    if len(slots) != lanes * threads:
        raise ValueError(f"{len(slots)} slots, must be {lanes} lanes * {threads} threads")
    dealt, row_starts = joined(slots)
    _check_deal(dealt, row_starts, rows, threads)
    if sets is None:
        sets = choose_sets([(coded, slots)], lanes, 1, cycle_bits)
    sets = tuple(sets)
    if len(sets) not in SETS:
        raise ValueError(f"{len(sets)} code sets, must be one of {SETS}")
    plans = [make_plan(tables, columns, cycle_bits) for tables in sets]
    # Some lanes, all of one code set: (first slot, end, plan).
    shares = [
        (first * threads, end * threads, plans[set_of_lane(first, lanes, len(sets))])
        for first, end in parts(lanes, workers, len(sets))
    ]

    def size(first: int, end: int, plan: Plan) -> np.ndarray:
        return measure(coded, dealt, row_starts[first : end + 1], plan)

    sizes = mapped(size, shares, workers)
    symbols, *streams = np.concatenate(sizes).T
    _check_streams(np.stack(streams), threads)

    # Row bases of slots behind the last row may not fit their field; nobody reads them.
    directory = np.empty((len(slots), 2), np.uint32)
    directory[:, 0] = np.diff(row_starts) << STREAM_BITS | streams[0]
    directory[:, 1] = (row_starts[:-1] & (MAX_TILE_ROWS - 1)) << STREAM_BITS | streams[1]
    # In each lane the directory, then run and value stream of every slot.
    head = directory_words(threads) * WORD_BITS
    lengths = np.stack(streams, axis=1).reshape(lanes, 2 * threads)
    ends = head + np.cumsum(lengths, axis=1)
    lane_words = -(-ends[:, -1] // WORD_BITS)
    lane_starts = np.cumsum([0, *lane_words])
    begins = (ends - lengths + lane_starts[:-1, None] * WORD_BITS).reshape(-1, 2)
    words = np.zeros(lane_starts[-1], np.uint32)

    def write(first: int, end: int, plan: Plan) -> None:
        run_starts, value_starts = begins[first:end].T
        write_slots(
            *(coded, dealt, row_starts[first : end + 1], plan.first, plan.end_first),
            *(plan.run_codes, plan.run_lengths, plan.value_codes, plan.value_lengths),
            *(words, run_starts, value_starts),
        )

    mapped(write, shares, workers)
    sections = np.split(words, lane_starts[1:-1])
    for section, entries in zip(sections, directory.reshape(lanes, -1), strict=True):
        section[: len(entries)] = entries
    return Packed(
        shape=(rows, weights.shape[1]),
        lanes=lanes,
        threads=threads,
        slot_rows=slots,
        sets=sets,
        sections=tuple(sections),
        symbols_per_slot=symbols,
    )


def _check_deal(dealt: np.ndarray, row_starts: np.ndarray, rows: int, threads: int) -> None:
    """Raise unless each of so many rows is dealt to one slot, and they fit; see `joined`."""
    if not np.array_equal(np.sort(dealt), np.arange(rows)):
        raise ValueError(f"slot_rows must deal each of the {rows} rows to one slot")
    if rows > MAX_TILE_ROWS:
        raise CapacityError(
            f"{rows} rows in one tile, at most {MAX_TILE_ROWS}: split the matrix into tiles"
        )
    for slot, count in enumerate(np.diff(row_starts)):
        if count > MAX_SLOT_ROWS:
            raise CapacityError(
                f"lane {slot // threads}, thread {slot % threads}: {count} rows, "
                f"at most {MAX_SLOT_ROWS}: split the matrix into tiles"
            )


def _check_streams(streams: np.ndarray, threads: int) -> None:
    """Raise unless all streams have codes and fit: (2, slots) bits of run and value streams."""
    for slot in np.flatnonzero((streams > MAX_STREAM_BITS).any(axis=0)):
        lane, thread = divmod(int(slot), threads)
        for kind, bits in zip(STREAMS, streams[:, slot], strict=True):
            if bits >= NO_CODE:
                raise ValueError(f"the {kind} code cannot express lane {lane}, thread {thread}")
            if bits > MAX_STREAM_BITS:
                raise CapacityError(
                    f"lane {lane}, thread {thread}: a {kind} stream of {bits} bits, at most "
                    f"{MAX_STREAM_BITS}: split the matrix into tiles"
                )
