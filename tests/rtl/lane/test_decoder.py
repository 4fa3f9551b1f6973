"""The stream decoder and its code tables against twin and format."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator

from npu.chip.weight_format import (
    LENGTHS,
    MAX_CODE_BITS,
    MAX_SYMBOL_BITS,
    MAX_SYMBOLS,
    CodeTable,
    all_counts,
)
from npu.twin.decoder import decode_run, peek16, symbol_length
from rtl.lane import codetable
from rtl.lane.decoder import (
    ENTRIES_PER_ROW,
    ENTRY_LATENCY,
    LENGTH_LATENCY,
    TABLE_ROWS,
    StreamDecoder,
)
from tests.rtl.lane.decoder_bench import decode


def random_table(rng, longest=MAX_CODE_BITS, raw_bits=None):
    """A complete code: leaves of a tree that is grown at random."""
    lengths = [0]
    for _ in range(int(rng.integers(0, 64))):
        open_leaves = [i for i, n in enumerate(lengths) if n < longest]
        if len(lengths) == 64 or not open_leaves:
            break
        # Deep leaves first, now and then, so that long codes come up.
        i = open_leaves[-1] if rng.random() < 0.5 else int(rng.choice(open_leaves))
        lengths[i : i + 1] = [lengths[i] + 1] * 2
    raw = int(rng.integers(0, 7)) if raw_bits is None else raw_bits
    counts = np.bincount(lengths, minlength=LENGTHS)
    return CodeTable(raw, counts, rng.integers(0, 256, len(lengths)).astype(np.uint8))


def code_of(table):
    """A table as the decoders take it, from the format's own limits and offsets."""
    limits = table.limits()
    return {
        "coded": int(limits[0] == 0),
        "limits": {str(n): int(limits[n]) >> (MAX_CODE_BITS - n) for n in range(1, MAX_CODE_BITS)},
        "raw_bits": table.raw_bits,
        "raw_mask": (1 << table.raw_bits) - 1,
        "not_raw": MAX_SYMBOL_BITS - table.raw_bits,
    }


def offsets_of(table):
    return [int(offset) % MAX_SYMBOLS for offset in table.offsets()]


def run_decoder(table, words, starts, threads, turns, go=lambda turn: True):
    """Decode every thread's stream of `words`: per thread a list of (entry, raw, length)."""
    dut = StreamDecoder(threads)

    async def prepare(ctx):
        for length, value in enumerate(offsets_of(table)):
            ctx.set(dut.code.offset, {"en": 1, "length": length, "value": value})
            await ctx.tick()
        ctx.set(dut.code, code_of(table))
        entries = bytes(table.entries).ljust(64, b"\0")
        ctx.set(dut.table.en, 1)
        for row in range(TABLE_ROWS):
            at = row * ENTRIES_PER_ROW
            ctx.set(dut.table.row, row)
            ctx.set(dut.table.data, int.from_bytes(entries[at : at + ENTRIES_PER_ROW], "little"))
            await ctx.tick()
        ctx.set(dut.table.en, 0)

    latencies = (ENTRY_LATENCY, LENGTH_LATENCY)
    return decode(dut, prepare, words, starts, turns, go, ("entry", "raw"), latencies)


def expect(table, words, start, turns):
    """The same from the twin; also checks the run that comes of entry and raw bits."""
    bit, found = start, []
    arrays = (table.limits(), table.offsets(), table.entries, table.raw_bits)
    for _ in range(turns):
        run, length = decode_run(words, bit, *arrays)
        window = peek16(words, bit)
        code = symbol_length(window >> (MAX_SYMBOL_BITS - MAX_CODE_BITS), arrays[0])
        raw = window >> (MAX_SYMBOL_BITS - code - table.raw_bits) & ((1 << table.raw_bits) - 1)
        entry = run - raw >> table.raw_bits
        found.append((entry, raw, length))
        bit += length
    return found


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_equals_the_twin(threads):
    rng = np.random.default_rng(threads)
    for _ in range(4):
        table = random_table(rng)
        words = [rng.integers(0, 1 << 32, 60, np.uint32) for _ in range(threads)]
        starts = [int(start) for start in rng.integers(0, 200, threads)]
        skipped = set(rng.integers(0, 40, 6).tolist())
        out = run_decoder(table, words, starts, threads, 40, lambda turn, s=skipped: turn not in s)
        for thread in range(threads):
            expected = expect(table, words[thread], starts[thread], 40 - len(skipped))
            assert out[thread] == expected


@pytest.mark.parametrize("start", [0, 31])
def test_sixteen_bits_a_symbol_never_outrun_the_words(start):
    lengths = [*range(1, 10), 10, 10]
    counts = np.bincount(lengths, minlength=LENGTHS)
    table = CodeTable(6, counts, np.arange(11, dtype=np.uint8))
    assert table.problem() is None
    # Windows of ones only: the longest code, and all raw bits set.
    words = [np.full(40, 0xFFFFFFFF, np.uint32)] * 2
    out = run_decoder(table, words, [start, start], 2, 60)
    assert out == [[(10, 63, 16)] * 60] * 2


def test_a_code_of_one_entry_takes_no_bits():
    table = CodeTable(0, np.eye(1, LENGTHS, dtype=np.int64)[0], np.array([129], np.uint8))
    words = [np.arange(1, 9, dtype=np.uint32)] * 2
    assert run_decoder(table, words, [5, 70], 2, 4) == [[(129, 0, 0)] * 4] * 2


def single_faults():
    """Tables with one thing wrong each, next to the same without it."""
    for codes, raw_bits, problem in (
        ([1, 1], 0, None),
        ([1, 2], 0, "not a complete prefix code"),
        ([1, 1, 1], 0, "not a complete prefix code"),
        ([1] * 10, 0, "not a complete prefix code"),  # wraps to a sum that looks complete
        ([0], 8, None),
        ([0], 9, "9 raw bits"),
        ([*range(1, 8), 8, 8], 8, None),
        ([*range(1, 9), 9, 9], 8, "9 code bits"),
        ([6] * 64, 0, None),
        ([7] * 128, 0, "128 table entries"),
        ([], 0, "0 table entries"),
    ):
        counts = np.bincount(codes, minlength=LENGTHS)[:LENGTHS].astype(np.int64)
        table = CodeTable(raw_bits, counts, np.zeros(len(codes), np.uint8))
        assert table.problem() is None if problem is None else problem in table.problem()
        yield table


def test_code_tables_equal_the_format():
    rng = np.random.default_rng(7)
    tables = [random_table(rng) for _ in range(25)]
    for table in list(tables):
        counts = table.counts.copy()
        counts[rng.integers(0, LENGTHS)] = rng.integers(0, 256)
        tables.append(CodeTable(table.raw_bits, counts, table.entries))
        tables.append(CodeTable(int(rng.integers(0, 256)), table.counts, table.entries))
        tables.append(CodeTable(table.raw_bits, table.counts, table.entries[:-1]))
    tables.extend(single_faults())
    # As a header says it: some of the counts follow from the others.
    tables = [
        replace(table, counts=all_counts(len(table.entries), table.counts[1:-1]))
        for table in tables
    ]
    dut = codetable.CodeTable()

    async def bench(ctx):
        for table in tables:
            ctx.set(dut.start, 1)
            ctx.set(dut.counts, [int(count) for count in table.counts[1:-1]])
            ctx.set(dut.raw_bits, table.raw_bits)
            ctx.set(dut.entries, len(table.entries))
            await ctx.tick()
            ctx.set(dut.start, 0)
            offsets = {}
            for _ in range(LENGTHS + 1):
                assert ctx.get(dut.ready) == (len(offsets) == LENGTHS - 1)
                if ctx.get(dut.code.offset.en):
                    offsets[ctx.get(dut.code.offset.length)] = ctx.get(dut.code.offset.value)
                await ctx.tick()
            assert not ctx.get(dut.code.offset.en)
            assert ctx.get(dut.error) == (table.problem() is not None)
            if table.problem() is None:
                expected = code_of(table)
                for name in ("coded", "raw_bits", "raw_mask", "not_raw"):
                    assert ctx.get(dut.code[name]) == expected[name]
                for n, limit in expected["limits"].items():
                    assert ctx.get(dut.code.limits[n]) == limit
                assert offsets == dict(enumerate(offsets_of(table)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert sum(table.problem() is None for table in tables) >= 25
