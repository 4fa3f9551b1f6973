"""The symbols of a dealt matrix, slot by slot, and the bytes around its streams."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from compiler.codec import Packed
from compiler.codec.bits import row_steps
from compiler.codec.packed import measure
from compiler.codec.symbols import as_coded, joined, make_plan
from npu.format import (
    LENGTHS,
    WORD_BITS,
    CodeSet,
    CodeTable,
    directory_words,
    set_of_lane,
    tile_directory_bytes,
)
from npu.jit import kernel

KINDS = ("run", "value")


def flat_table(raw_bits: int) -> CodeTable:
    """Every number of so many bits as it is: a code of no bits and raw bits."""
    return CodeTable(raw_bits, np.eye(1, LENGTHS, dtype=np.int64)[0], np.zeros(1, np.uint8))


@dataclass(frozen=True, eq=False)
class Streams:
    """What the slots of one code set code, in their order.

    Attributes
    ----------
    symbols : per kind (n,) int64: runs with the terminators, and values modulo 256.
    starts : per kind (slots + 1,) int64, where each slot's symbols start.
    """

    symbols: tuple[np.ndarray, np.ndarray]
    starts: tuple[np.ndarray, np.ndarray]


@kernel
def _walk(
    weights: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    first: np.ndarray,
    end_first: np.ndarray,
    run_at: np.ndarray,
    value_at: np.ndarray,
    runs: np.ndarray,
    values: np.ndarray,
) -> None:
    """Write the symbols of each slot; the order is that of `compiler.codec.bits.write_slots`.

    weights, rows, starts : as there; first, end_first : a `Plan`'s; run_at, value_at : where the
    slots' symbols start in `runs` and `values`.
    """
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    row_values = np.empty(columns, np.int64)
    for slot in range(len(starts) - 1):
        r, v = run_at[slot], value_at[slot]
        carried = 0
        for row in rows[starts[slot] : starts[slot + 1]]:
            n, carried = row_steps(weights[row], carried, gaps, row_values)
            for i in range(n):
                gap = gaps[i]
                while first[gap] != gap:
                    runs[r] = first[gap]
                    values[v] = 0
                    gap -= first[gap] + 1
                    r += 1
                    v += 1
                runs[r] = gap
                values[v] = row_values[i] & 0xFF
                r += 1
                v += 1
        while starts[slot + 1] > starts[slot]:
            runs[r] = end_first[carried]
            r += 1
            if runs[r - 1] >= carried:
                break
            values[v] = 0
            v += 1
            carried -= runs[r - 1] + 1


def streams_of(
    weights: np.ndarray, slots: Sequence[np.ndarray], code_set: CodeSet
) -> tuple[Streams, np.ndarray]:
    """The symbols of slots, runs split as the tables want it; their bits with these tables.

    weights : (rows, columns) int8; slots : the rows of each. Bits are (slots, 2) int64.
    """
    coded = as_coded(weights)
    plan = make_plan(code_set, coded.shape[1])
    rows, starts = joined(slots)
    sizes = measure(coded, slots, plan)
    value_at = np.cumsum([0, *sizes[:, 0]])
    # A slot with rows has a terminator, too.
    run_at = np.cumsum([0, *(sizes[:, 0] + (np.diff(starts) > 0))])
    runs, values = np.zeros(run_at[-1], np.int64), np.zeros(value_at[-1], np.int64)
    _walk(coded, rows, starts, plan.first, plan.end_first, run_at, value_at, runs, values)
    return Streams((runs, values), (run_at, value_at)), sizes[:, 1:]


def shares(packed: Packed) -> list[list[np.ndarray]]:
    """The rows of the slots of each code set."""
    sets = len(packed.sets)
    set_of_slot = [
        set_of_lane(slot // packed.threads, packed.lanes, sets)
        for slot in range(len(packed.slot_rows))
    ]
    bounds = np.searchsorted(set_of_slot, np.arange(sets + 1))
    return [list(packed.slot_rows[first:end]) for first, end in pairwise(bounds)]


def tile_bytes(bits: np.ndarray, packed: Packed, bus_bytes: int) -> tuple[int, int]:
    """Bytes of sections with streams of so many bits and of the tile's directory.

    bits : (slots, 2) int64. Returns them with every section padded to a bus word, as in external
    memory, and without that padding.
    """
    head = directory_words(packed.threads) * WORD_BITS
    lanes = head + bits.reshape(packed.lanes, -1).sum(axis=1)
    directory = tile_directory_bytes(packed.lanes, bus_bytes)
    words = -(-lanes // (8 * bus_bytes))
    return directory + int(words.sum()) * bus_bytes, directory + -(-int(lanes.sum()) // 8)
