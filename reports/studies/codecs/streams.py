"""The symbols of a dealt matrix, slot by slot, and the bytes around its streams."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec import Packed
from compiler.codec.bits import measure_slots, steps_of, write_slots
from compiler.codec.parallel import parts
from compiler.codec.symbols import Codewords, as_coded, joined, make_plan
from compiler.codec.tile import tile_words
from npu.chip.weight_format import (
    LENGTHS,
    WORD_BITS,
    CodeSet,
    CodeTable,
    directory_words,
)


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


def streams_of(
    weights: np.ndarray, slots: Sequence[np.ndarray], code_set: CodeSet
) -> tuple[Streams, np.ndarray]:
    """The symbols of slots, runs split as the tables want it; their bits with these tables.

    weights : (rows, columns) int8; slots : the rows of each. Bits are (slots, 2) int64.
    """
    coded = as_coded(weights)
    plan = make_plan(code_set, coded.shape[1])
    dealt = joined(slots)
    steps = steps_of(coded)
    sizes = measure_slots(steps, dealt, plan)
    value_at = np.cumsum([0, *sizes[:, 0]])
    # A slot with rows has a terminator, too.
    run_at = np.cumsum([0, *(sizes[:, 0] + (np.diff(dealt.starts) > 0))])
    # Every symbol as a word of its own: first all runs, then all values.
    words = np.zeros(run_at[-1] + value_at[-1], np.uint32)
    numbers = np.arange(max(len(plan.gaps.first), len(plan.values.codes)))
    themselves = Codewords(numbers, np.full(len(numbers), WORD_BITS))
    plain = plan._replace(runs=themselves, values=themselves)
    run_bits, value_bits = WORD_BITS * run_at, WORD_BITS * (run_at[-1] + value_at)
    write_slots(steps, dealt, plain, words, run_bits, value_bits)
    runs, values = np.split(words.astype(np.int64), run_at[-1:])
    return Streams((runs, values), (run_at, value_at)), sizes[:, 1:]


def shares(packed: Packed) -> list[list[np.ndarray]]:
    """The rows of the slots of each code set."""
    threads = packed.threads
    lanes = parts(packed.lanes, 1, len(packed.sets))
    return [list(packed.slot_rows[first * threads : end * threads]) for first, end in lanes]


def tile_bytes(bits: np.ndarray, packed: Packed, bus_bytes: int) -> tuple[int, int]:
    """Bytes of a tile whose streams have so many bits.

    bits : (slots, 2) int64. Returns the bytes in external memory, and those without padding.
    """
    rows = [len(rows) for rows in packed.slot_rows]
    lanes = -(-bits.reshape(packed.lanes, -1).sum(axis=1) // WORD_BITS)
    words, front = tile_words(
        np.column_stack([rows, bits]),
        directory_words(packed.threads) + lanes,
        packed.lanes,
        8 * bus_bytes // WORD_BITS,
    )
    return 4 * words, 4 * front + -(-int(bits.sum()) // 8)
