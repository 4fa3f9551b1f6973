"""The candidates' coders give back what they take, and their decoders' gates do what they do."""

import json

import numpy as np
import pytest

pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")

from compiler.codec import code_table, compress, encode
from npu.chip.params import load_params
from npu.chip.weight_format import MAX_SYMBOL_BITS, SCALE_DTYPE, pack_block
from npu.twin.decoder import decode_run
from reports.studies.codecs import page, rice, sizes, tans
from reports.studies.codecs.fixed_decoder import FixedDecoder
from reports.studies.codecs.lookup_decoder import FILL_CYCLES, ROWS_PER_WRITE, LookupDecoder
from reports.studies.codecs.lookup_decoder import table_rows as window_rows
from reports.studies.codecs.rice_decoder import ENTRIES_PER_WRITE, TABLE_ROWS, RiceDecoder
from reports.studies.codecs.streams import flat_table, tile_bytes
from reports.studies.codecs.tans_decoder import TansDecoder
from reports.studies.codecs.tans_decoder import table_rows as state_rows
from tests.rtl.lane.decoder_bench import decode

TURNS = 60
SKIPPED = {0, 3, 4, 17, 30}
FIRST_TURN = 1


def skewed(rng, count, size):
    """(size,) int64 below count, small ones more often."""
    return np.minimum((rng.exponential(count / 5, size)).astype(np.int64), count - 1)


def run_decoder(dut, settings, writes, words, outputs, starts=None, first=False):
    """Decode every thread's stream; the bench refills the rings as a lane does, in a fixed grid.

    settings : ports by name; writes : of the table's ports, one per cycle; words : per thread;
    outputs : ports of a symbol. Returns per thread a list of their values with the length.
    """
    starts = [0] * len(words) if starts is None else starts
    words = [np.concatenate([each, np.zeros(4, np.uint32)]) for each in words]

    async def prepare(ctx):
        for name, value in settings.items():
            ctx.set(getattr(dut, name), value)
        for write in writes:
            for name, value in {"en": 1, **write}.items():
                ctx.set(getattr(dut.table, name), value)
            await ctx.tick()
        if writes:
            ctx.set(dut.table.en, 0)

    def each_turn(ctx, turn):
        if first:
            ctx.set(dut.first, turn == FIRST_TURN)

    return decode(
        dut,
        prepare,
        words,
        starts,
        TURNS,
        go=lambda turn: turn not in SKIPPED,
        outputs=outputs,
        latencies=(dut.SYMBOL_LATENCY, dut.LENGTH_LATENCY),
        each_turn=each_turn,
    )


COUNT = TURNS - len(SKIPPED)


def settings_of(raw_bits):
    return {
        "raw_bits": raw_bits,
        "raw_mask": (1 << raw_bits) - 1,
        "not_raw": MAX_SYMBOL_BITS - raw_bits,
    }


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("raw_bits", [0, 3, 6])
def test_the_table_of_windows_decodes_our_codes(threads, raw_bits):
    rng = np.random.default_rng(threads)
    entries = rng.permutation(256)[:50]
    table = code_table(entries, rng.integers(0, 10, 50) ** 4, raw_bits)
    rows = window_rows(table)
    writes = [
        {"row": i, "data": rows[ROWS_PER_WRITE * i : ROWS_PER_WRITE * (i + 1)]}
        for i in range(FILL_CYCLES)
    ]
    words = [rng.integers(0, 1 << 32, 40, np.uint32) for _ in range(threads)]
    starts = rng.integers(0, 100, threads).tolist()
    dut = LookupDecoder(threads)
    out = run_decoder(dut, settings_of(raw_bits), writes, words, ("entry", "raw"), starts)
    arrays = (table.limits(), table.offsets(), table.entries, table.raw_bits)
    for thread in range(threads):
        bit = starts[thread]
        assert len(out[thread]) == COUNT
        for entry, raw, length in out[thread]:
            run, expected = decode_run(words[thread], bit, *arrays)
            assert ((entry << raw_bits) + raw, length) == (run, expected)
            bit += length


@pytest.mark.parametrize(
    ("threads", "state_bits", "raw_bits", "symbols"),
    [(2, 9, 2, 64), (3, 9, 0, 20), (2, 10, 6, 64), (2, 9, 3, 1), (2, 10, 0, 200)],
)
def test_tans_in_gates(threads, state_bits, raw_bits, symbols):
    rng = np.random.default_rng(symbols)
    counts = np.bincount(skewed(rng, symbols, 1000), minlength=symbols)
    tables = tans.make_tables(counts, raw_bits, state_bits)
    entries = rng.permutation(256)[:symbols].tolist()
    writes = [
        {"state": state, "data": row} for state, row in enumerate(state_rows(tables, entries))
    ]
    # The first turn takes the first state.
    streams = [
        (skewed(rng, symbols, COUNT - 1), rng.integers(0, 1 << raw_bits, COUNT - 1))
        for _ in range(threads)
    ]
    coded = [tans.encode(tables, *stream) for stream in streams]
    out = run_decoder(
        TansDecoder(threads, state_bits),
        settings_of(raw_bits),
        writes,
        [words for words, _ in coded],
        ("entry", "raw"),
        first=True,
    )
    for thread, ((numbers, raws), (_, bits)) in enumerate(zip(streams, coded, strict=True)):
        assert out[thread][0][2] == state_bits
        expected = [(entries[n], raw) for n, raw in zip(numbers, raws, strict=True)]
        assert [(entry, raw) for entry, raw, _ in out[thread][1:]] == expected
        assert sum(length for _, _, length in out[thread]) == bits


@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize(("threads", "k"), [(2, 0), (2, 3), (3, 5), (2, 7)])
def test_rice_in_gates(threads, k, palette):
    rng = np.random.default_rng(k)
    values = [
        np.where(rng.random(COUNT) < 0.1, rng.integers(0, 256, COUNT), skewed(rng, 40, COUNT))
        for _ in range(threads)
    ]
    order = rng.permutation(256)
    rank = np.argsort(order)
    coded = [rice.encode(rank[each] if palette else rice.to_number(each), k) for each in values]
    settings = {"k": k, "rest": MAX_SYMBOL_BITS - k, "mask": (1 << k) - 1}
    data = order.astype(np.uint8).tobytes()
    writes = [
        {
            "row": i,
            "data": int.from_bytes(data[i * ENTRIES_PER_WRITE :][:ENTRIES_PER_WRITE], "little"),
        }
        for i in range(TABLE_ROWS if palette else 0)
    ]
    dut = RiceDecoder(threads, palette)
    out = run_decoder(dut, settings, writes, [words for words, _ in coded], ("value",))
    for thread in range(threads):
        assert [value for value, _ in out[thread]] == values[thread].tolist()
        assert sum(length for _, length in out[thread]) == coded[thread][1]


@pytest.mark.parametrize("width", [4, 8])
def test_fixed_length_in_gates(width):
    rng = np.random.default_rng(width)
    words = [rng.integers(0, 1 << 32, 30, np.uint32) for _ in range(2)]
    starts = [4, 72]
    out = run_decoder(FixedDecoder(2, width), {}, [], words, ("value",), starts)
    for thread in range(2):
        numbers = [
            rice.take(words[thread], starts[thread] + width * i, width) for i in range(COUNT)
        ]
        assert out[thread] == [(number, width) for number in numbers]


@pytest.mark.parametrize("k", rice.PARAMETERS)
def test_rice_gives_every_number_back(k):
    numbers = np.arange(rice.NUMBERS)
    words, bits = rice.encode(numbers, k)
    again, taken = rice.decode(words, k, len(numbers))
    assert again.tolist() == numbers.tolist() and taken == bits
    assert max(rice.symbol_bits(n, k) for n in numbers) <= MAX_SYMBOL_BITS


def test_numbers_of_values_are_all_different():
    numbers = rice.to_number(np.arange(256))
    assert sorted(numbers.tolist()) == list(range(256))
    assert numbers[[255, 1, 254, 128, 0]].tolist() == [0, 1, 2, 254, 255]


@pytest.mark.parametrize("state_bits", sizes.STATE_BITS)
@pytest.mark.parametrize("symbols", [1, 2, 64, 256])
def test_tans_gives_the_symbols_back_near_their_entropy(state_bits, symbols):
    rng = np.random.default_rng(symbols)
    numbers = skewed(rng, symbols, 4000)
    raws = rng.integers(0, 4, len(numbers))
    counts = np.bincount(numbers, minlength=symbols)
    tables = tans.make_tables(counts, 2, state_bits)
    assert tables.shares.sum() == 1 << state_bits and tables.shares.min() >= 1
    words, bits = tans.encode(tables, numbers, raws)
    again, raws_again, taken = tans.decode(tables, words, len(numbers))
    assert (again.tolist(), raws_again.tolist(), taken) == (numbers.tolist(), raws.tolist(), bits)
    used = counts[counts > 0]
    entropy = float(-(used * np.log2(used / len(numbers))).sum()) + 2 * len(numbers)
    # What a symbol of one state of 512 among 256 symbols costs the others.
    assert entropy <= bits <= 1.25 * entropy + state_bits
    if symbols <= 64:
        assert bits <= 1.01 * entropy + state_bits


def test_a_damaged_tans_stream_does_not_end_where_it_should():
    tables = tans.make_tables(np.array([5, 3, 1]), 0, 9)
    numbers = np.array([0, 1, 0, 2, 0, 0, 1])
    words, _ = tans.encode(tables, numbers, np.zeros(7, np.int64))
    words[0] ^= 1 << 20
    with pytest.raises(ValueError, match="ends in state"):
        tans.decode(tables, words, 7)
    with pytest.raises(ValueError, match="9 \\+ 8 bits, at most 16"):
        tans.make_tables(np.array([1]), 8, 9)


def case_of(weights):
    return sizes.Case("test", "synthetic", weights, (weights,))


def matrix(rng, rows, columns, zeros):
    weights = np.rint(rng.laplace(0, 20, (rows, columns))).clip(-127, 127).astype(np.int8)
    weights[rng.random(weights.shape) < zeros] = 0
    return weights


@pytest.mark.parametrize("zeros", [0.0, 0.75, 0.995])
def test_what_is_counted_for_ours_is_what_is_written(zeros):
    rng = np.random.default_rng(1)
    weights = matrix(rng, 96, 300, zeros)
    params = load_params("edge")
    found = sizes.measure(case_of(weights), params).sizes
    assert set(found) == set(sizes.NAMES)
    packed = compress(weights, params)
    stats = packed.stats(params.bus_bytes)
    assert found[sizes.OURS].n_bytes == stats.total_bits // 8
    for size in found.values():
        assert size.table_bytes < size.unpadded_bytes <= size.n_bytes
        # A bus word a lane where others have one, a word a lane, the front's end.
        most = params.lanes * (params.bus_bytes + 4) + 7 * params.bus_bytes
        assert size.n_bytes - size.unpadded_bytes <= most


def test_fixed_length_is_our_format_with_codes_of_no_bits():
    weights = matrix(np.random.default_rng(2), 64, 200, 0.9)
    params = load_params("edge")
    packed = compress(weights, params)
    flat = (flat_table(sizes.RUN_BITS), flat_table(sizes.VALUE_BITS))
    again = encode(weights, packed.slot_rows, packed.lanes, packed.threads, [flat])
    assert np.array_equal(again.decode(), weights)
    written = len(again.tile(params.bus_bytes)) + sizes.HEADER_BYTES
    assert sizes.measure(case_of(weights), params).sizes[sizes.FIXED].n_bytes == written
    assert len(pack_block([flat], np.zeros(0, SCALE_DTYPE))) > sizes.HEADER_BYTES
    assert tile_bytes(np.zeros((len(packed.slot_rows), 2), np.int64), packed, 16)[0] > 0


def test_the_page_shows_the_last_run():
    run = json.loads(page.RUN.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == page.page(run), (
        "run: python -m reports.studies.codecs --page"
    )
    assert set(run["decoders"]) == set(page.ABOUT) == set(sizes.NAMES)
