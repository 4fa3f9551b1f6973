"""Throughput of a lane: a symbol per cycle whatever the bits are, stalls where they belong."""

from itertools import pairwise

import numpy as np
import pytest

from npu.chip import timing
from npu.chip.isa import command
from npu.chip.status import Status
from npu.chip.weight_format import LENGTHS, MAX_STREAM_BITS, CodeTable, directory_words
from npu.errors import MachineError
from rtl.lane.fetch import stream_bits
from tests.rtl.matvec.matvec_bench import Bench, check, make_case, run_twin, small_params


def longest_symbols():
    """(run, value) tables that code every step of the tests with MAX_SYMBOL_BITS bits each."""
    counts = np.bincount([*range(1, 10), 10, 10], minlength=LENGTHS)
    # The short codes stand for runs of 64 and more and for negative weights.
    run = CodeTable(6, counts, np.array([*range(1, 11), 0], np.uint8))
    value = CodeTable(6, counts, np.array([192] * 9 + [0, 64], np.uint8))
    assert run.problem() is None
    assert value.problem() is None
    return [(run, value)]


@pytest.mark.parametrize(("threads", "bus_bytes"), [(2, 8), (3, 16), (4, 8)])
def test_the_longest_symbols_never_wait_for_a_word(threads, bus_bytes):
    params = small_params(lanes=1, threads=threads, bus_bytes=bus_bytes, bank_bytes=4096)
    rng = np.random.default_rng(threads)
    columns = 60
    weights = rng.integers(1, 128, (2 * threads, columns)).astype(np.int8)
    case = make_case(params, weights, tables=longest_symbols())
    (outcome,) = Bench(params).run([case])
    work = check(case, outcome)
    assert work.symbols == 2 * threads * columns
    assert work.stalled == 0
    # Every cycle from the first symbol to the last.
    busy = np.flatnonzero(outcome.turns)
    assert len(busy) == work.symbols == busy[-1] - busy[0] + 1
    # All that is not a symbol: the terminators, decode the last row, requantise it.
    assert work.run_cycles == work.symbols + threads + timing.LANE_PIPELINE + timing.REQUANTISE


@pytest.mark.parametrize("sets", [1, 2, 4])
@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
def test_every_coding_decodes_a_weight_per_lane_and_cycle(sets, density):
    """As the compiler chooses tables, for sparse and dense weights and any number of code sets."""
    params = small_params(lanes=4, bank_bytes=4096)
    rng = np.random.default_rng(sets)
    columns = 400
    values = rng.laplace(0, np.repeat([4, 12, 30, 60], 2)[:, None], (8, columns))
    weights = np.clip(np.rint(values), -128, 127) * (rng.random((8, columns)) < density)
    case = make_case(params, weights.astype(np.int8), sets=sets)
    (outcome,) = Bench(params).run([case])
    work = check(case, outcome)
    assert work.stalled == 0
    # A thread's turn after the other's, each lane decodes a weight unless the slot has no more.
    left = case.symbols.reshape(params.lanes, params.threads)
    turns = [
        np.count_nonzero(left[:, turn % params.threads] > turn // params.threads)
        for turn in range(params.threads * left.max())
    ]
    first = np.flatnonzero(outcome.turns)[0]
    assert outcome.turns[first : first + len(turns)] == turns
    assert sum(turns) == work.symbols


def test_rows_of_one_nonzero_wait_for_the_requantiser():
    params = small_params(lanes=3, result_fifo=16)
    weights = np.zeros((90, 20), np.int8)
    weights[np.arange(90), np.arange(90) % 20] = 5
    case = make_case(params, weights)
    (outcome,) = Bench(params).run([case])
    work = check(case, outcome)
    assert work.stalled > 30
    # The requantiser is never idle once rows come.
    cycles = [cycle for cycle, _, _ in outcome.writes]
    assert all(b - a == 1 for a, b in pairwise(cycles))


@pytest.mark.parametrize("outside", [False, True])
def test_a_stream_ends_at_the_banks_end_at_the_latest(outside):
    """The last symbol's bits stand in the bank's last word, or behind it; any bits are a symbol."""
    params = small_params(lanes=1)
    no_bits = np.bincount([0], minlength=LENGTHS)
    tables = (
        CodeTable(0, no_bits, np.zeros(1, np.uint8)),
        CodeTable(8, no_bits, np.array([128], np.uint8)),
    )
    weights = np.arange(1, 17 + outside, dtype=np.int8)[None]
    case = make_case(params, weights, tables=[tables], bank=0)
    head = directory_words(params.threads)
    section = case.banks[0, : head + 5].copy()
    assert section[1] & MAX_STREAM_BITS == 8 * (16 + outside)
    first = params.bank_words - head - 4
    case.banks[0, first:] = section[:-1]
    case.cmd = command("MATVEC", **(case.cmd.values | {"bank": first * 4 // params.bus_bytes}))
    (outcome,) = Bench(params).run([case])
    if not outside:
        check(case, outcome)
        return
    assert outcome.status == Status.STREAM
    with pytest.raises(MachineError):
        run_twin(case)


def refused_as_a_stream(params, sections):
    """Sections that twin and RTL both refuse, one case each."""
    weights = np.full((1, 5), 3, np.int8)
    cases = []
    for section in sections:
        case = make_case(params, weights, bank=0)
        section(case.banks[0])
        cases.append(case)
    for case, outcome in zip(cases, Bench(params).run(cases, limit=4000), strict=True):
        assert outcome.status == Status.STREAM
        with pytest.raises(MachineError) as caught:
            run_twin(case)
        assert caught.value.status == Status.STREAM


def test_a_length_that_no_bank_holds_is_refused_in_every_bit():
    """What the lane keeps of a length is right then, and nothing behind the bank is read."""
    params = small_params(lanes=1)
    bits = range(stream_bits(params), MAX_STREAM_BITS.bit_length())
    assert bits

    def longer(word, bit):
        def change(bank):
            bank[word] |= np.uint32(1 << bit)

        return change

    # Words 0 and 1 are those of the slot that has the row, 2 and 3 of one without.
    refused_as_a_stream(params, [longer(word, bit) for word in range(4) for bit in bits])


@pytest.mark.parametrize("word", [2, 3])
def test_a_slot_without_rows_has_no_bits(word):
    def bits_of_nothing(bank):
        bank[word] |= np.uint32(1)

    refused_as_a_stream(small_params(lanes=1), [bits_of_nothing])
