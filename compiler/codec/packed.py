"""A compressed matrix: sections for the lanes' weight banks, and the way back to its weights."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from compiler.codec.bits import measure_slots, steps_of, write_slots
from compiler.codec.checks import (
    DEFAULT_BUS_BYTES,
    STREAMS,
    as_slots,
    as_whole,
    check_bus,
    check_count,
    check_sections,
    check_sets,
)
from compiler.codec.parallel import mapped, parts
from compiler.codec.reading import decode_sections
from compiler.codec.stored import load, store
from compiler.codec.symbols import (
    CYCLE_BITS,
    NO_CODE,
    Plan,
    as_coded,
    check_cycle_bits,
    joined,
    make_plan,
)
from compiler.codec.tables import sets_for
from compiler.codec.tile import bank_words, pack_tile, read_slots, tile_words
from npu.chip.weight_format import (
    MAX_SLOT_ROWS,
    MAX_STREAM_BITS,
    MAX_TILE_ROWS,
    STREAM_BITS,
    WORD_BITS,
    CodeSet,
    CodeTable,
    block_bytes,
    directory_words,
    set_of_lane,
)
from npu.errors import CapacityError, ImageError
from npu.jit import kernel


@dataclass(frozen=True)
class Stats:
    """Where the bits of a packed matrix go, and how far they are from its entropy.

    Attributes
    ----------
    block_bits : the matrix block, without scales.
    directory_bits, run_bits, value_bits, padding_bits : the tile.
    entropy_bits : zeroth-order entropy of all weights, zeros included.
    nonzeros, symbols : weights that are not zero, and weights coded, explicit zeros among them.
    """

    block_bits: int
    directory_bits: int
    run_bits: int
    value_bits: int
    padding_bits: int
    entropy_bits: float
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
    def over_entropy(self) -> float:
        """Bits over entropy; infinite for a matrix of one value."""
        return self.total_bits / self.entropy_bits if self.entropy_bits else float("inf")


def entropy_bits(*matrices: np.ndarray) -> float:
    """Zeroth-order entropy of int8 matrices, zeros included, in bits for all their weights.

    Each matrix is counted for itself: what a product stacks, such as the gates of an LSTM, stays
    apart. This is the entropy that every report means.
    """
    total = 0.0
    for weights in matrices:
        if np.asarray(weights).dtype != np.int8:
            raise ValueError(f"weights must be int8, not {np.asarray(weights).dtype}")
        counts = np.zeros(256, np.int64)
        _count_values(np.ascontiguousarray(weights).reshape(-1), counts)
        counts = counts[counts > 0]
        total -= float((counts * np.log2(counts / max(1, counts.sum()))).sum())
    return total


TABLES = 4


@kernel
def _count_values(weights: np.ndarray, counts: np.ndarray) -> None:
    """Add how often each weight modulo 256 occurs to `counts`, (256,) int64; weights : (n,) int8.

    As `np.bincount`, which takes eight bytes of memory for each weight. Neighbours are counted in
    tables of their own: of a sparse matrix most are zeros, and one counter would be waited for.
    """
    own = np.zeros((TABLES, 256), np.int64)
    whole = len(weights) // TABLES * TABLES
    for i in range(0, whole, TABLES):
        for k in range(TABLES):
            own[k, np.int64(weights[i + k]) & 0xFF] += 1
    for i in range(whole, len(weights)):
        own[0, np.int64(weights[i]) & 0xFF] += 1
    for k in range(TABLES):
        counts += own[k]


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
    bus_bytes : of the bus that feeds the lanes.
    """

    shape: tuple[int, int]
    lanes: int
    threads: int
    slot_rows: tuple[np.ndarray, ...]
    sets: tuple[CodeSet, ...]
    sections: tuple[np.ndarray, ...]
    symbols_per_slot: np.ndarray
    bus_bytes: int = DEFAULT_BUS_BYTES

    def __eq__(self, other: object) -> bool:
        """Whether all fields are the same."""
        if not isinstance(other, Packed):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    def __hash__(self) -> int:
        return hash((self.shape, self.lanes, self.threads, *(s.tobytes() for s in self.sections)))

    def to_bytes(self) -> bytes:
        """Everything, with a checksum over every part (`compiler.codec.stored`).

        Raises ValueError or ImageError where the fields contradict one another.
        """
        self.check()
        return store(**{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Packed":
        """What `to_bytes` gave. Raises ImageError for anything else: each bit is checked."""
        found = cls(**load(bytes(data)))
        try:
            found.check()
        except (ValueError, CapacityError) as error:
            raise ImageError(str(error)) from error
        return found

    def check(self) -> None:
        """Raise unless the fields agree; what the sections' words say is left to `decode`.

        ImageError for tables that no decoder takes, ValueError for all else.
        """
        check_sets(self.sets, ImageError)
        rows, columns = self.shape
        check_count("rows", rows, 0)
        check_count("columns", columns, 0)
        _check_slots(self.slot_rows, rows, self.lanes, self.threads)
        check_sections(self.sections, self.lanes)
        check_bus(self.bus_bytes)
        symbols = as_whole(self.symbols_per_slot, "symbols_per_slot")
        if len(symbols) != len(self.slot_rows) or not _fit_words(symbols):
            raise ValueError(
                f"symbols_per_slot must be {len(self.slot_rows)} counts, not {symbols.tolist()}"
            )

    def decode(self, workers: int = 1) -> np.ndarray:
        """The weights, (rows, columns) int8; lanes are decoded on `workers` threads.

        Raises ImageError for tables that no decoder takes and sections that no encoder writes,
        ValueError for fields that contradict one another. Not every damage is one of these: of
        single flipped bits in a section two of three give other weights without a word. Only
        `from_bytes` sees them all.
        """
        self.check()
        rows, columns = self.shape
        weights = np.zeros((rows, max(1, columns)), np.int8)
        decode_sections(self.sections, self.slot_rows, self.sets, weights, workers)
        return weights[:, : self.shape[1]]

    def tile(self, bus_bytes: int | None = None) -> bytes:
        """The sections as they lie in external memory (`npu.chip.tile`).

        bus_bytes : a power of two, at least 4, by default what the matrix was made for. Raises
        CapacityError for sections too unlike in length.
        """
        return pack_tile(self.sections, self.threads, self._bus_words(bus_bytes))

    def bank_words(self, bus_bytes: int | None = None) -> int:
        """Bus words that the sections take in every bank."""
        words = self._bus_words(bus_bytes)
        return bank_words([len(s) for s in self.sections], self.threads, words)

    def _bus_words(self, bus_bytes: int | None) -> int:
        """32-bit words of a bus word, once it and the sections are checked."""
        bus_bytes = self.bus_bytes if bus_bytes is None else bus_bytes
        check_bus(bus_bytes)
        self.check()
        return bus_bytes * 8 // WORD_BITS

    def stats(self, bus_bytes: int | None = None) -> Stats:
        """Every bit of the matrix in parameter and external memory, scales and rows not counted.

        bus_bytes : as for `tile`.
        """
        bus_words = self._bus_words(bus_bytes)
        weights = self.decode()
        slots = read_slots(self.sections, self.threads)
        sizes = np.array([len(section) for section in self.sections])
        words, front = tile_words(slots, sizes, self.lanes, bus_words)
        _, run_bits, value_bits = slots.sum(axis=0).tolist()
        return Stats(
            block_bits=8 * block_bytes(self.sets, 0),
            directory_bits=front * WORD_BITS,
            run_bits=run_bits,
            value_bits=value_bits,
            padding_bits=(words - front) * WORD_BITS - run_bits - value_bits,
            entropy_bits=entropy_bits(weights),
            nonzeros=int(np.count_nonzero(weights)),
            symbols=int(self.symbols_per_slot.sum()),
        )


def entry_counts(sets: Sequence[CodeSet]) -> list[tuple[int, int]]:
    """Run and value entries of each set, as `npu.chip.timing.load_block` counts them."""
    return [(len(run.entries), len(value.entries)) for run, value in sets]


def encode(
    weights: np.ndarray,
    slot_rows: Sequence[np.ndarray],
    lanes: int,
    threads: int,
    sets: Sequence[CodeSet] | None = None,
    workers: int = 1,
    cycle_bits: int = CYCLE_BITS,
    bus_bytes: int = DEFAULT_BUS_BYTES,
) -> Packed:
    """Compress a matrix whose rows are dealt to slots.

    weights : (rows, columns) int8. slot_rows : lanes * threads arrays that together are a
    permutation of the rows; slot = lane * threads + thread. sets : the code sets, by default one,
    the best for this matrix dealt this way. workers : threads that code lanes. cycle_bits : what a
    lane's cycle is worth in bits, see `compress`. bus_bytes : of the bus that feeds the lanes.

    Raises CapacityError when a stream, a slot or the matrix is too large for its directory, and
    ValueError when `sets` cannot express a slot.
    """
    check_cycle_bits(cycle_bits)
    check_count("workers", workers)
    check_bus(bus_bytes)
    coded = as_coded(weights)
    rows, columns = coded.shape
    slots = _check_slots(slot_rows, rows, lanes, threads)
    dealt = joined(slots)
    steps = steps_of(coded)
    if sets is None:
        sets = sets_for(columns, [(steps, slots)], lanes, 1, cycle_bits)
    sets = tuple(sets)
    check_sets(sets)
    plans = [make_plan(tables, columns, cycle_bits) for tables in sets]
    # Some lanes, all of one code set: (first slot, end, plan).
    shares = [
        (first * threads, end * threads, plans[set_of_lane(first, lanes, len(sets))])
        for first, end in parts(lanes, workers, len(sets))
    ]

    def size(first: int, end: int, plan: Plan) -> np.ndarray:
        return measure_slots(steps, dealt.part(first, end), plan)

    sizes = mapped(size, shares, workers)
    symbols, *streams = np.concatenate(sizes).T
    _check_streams(np.stack(streams), threads)

    # Row bases of slots behind the last row may not fit their field; nobody reads them.
    directory = np.empty((len(slots), 2), np.uint32)
    directory[:, 0] = np.diff(dealt.starts) << STREAM_BITS | streams[0]
    directory[:, 1] = (dealt.starts[:-1] & (MAX_TILE_ROWS - 1)) << STREAM_BITS | streams[1]
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
        write_slots(steps, dealt.part(first, end), plan, words, run_starts, value_starts)

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
        bus_bytes=bus_bytes,
    )


def _fit_words(numbers: np.ndarray) -> bool:
    return not numbers.size or 0 <= numbers.min() <= numbers.max() < 1 << WORD_BITS


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a field are the same: arrays and tables by what they hold."""
    if isinstance(one, CodeTable) and isinstance(other, CodeTable):
        one, other = vars(one), vars(other)
        return all(_same(one[name], other[name]) for name in one)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    return bool(one == other)


def _check_slots(
    slot_rows: Sequence[np.ndarray], rows: int, lanes: int, threads: int
) -> tuple[np.ndarray, ...]:
    """A copy of the slots' rows; raise unless each of so many rows has one slot, and they fit."""
    check_count("lanes", lanes)
    check_count("threads", threads)
    if len(slot_rows) != lanes * threads:
        raise ValueError(f"{len(slot_rows)} slots, must be {lanes} lanes * {threads} threads")
    slots = as_slots(slot_rows, rows)
    dealt, row_starts = joined(slots)
    if len(dealt) != rows or not np.array_equal(np.sort(dealt), np.arange(rows)):
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
    return slots


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
