"""The decoding of slots: every symbol by a slow model, and everything that can be wrong."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.chip.faults import StreamFault
from npu.chip.lanes import ALL_DONE, NEVER, ONCE, run_lanes
from npu.chip.weight_format import MAX_STREAM_BITS, STREAM_BITS, WORD_BITS, directory_words
from tests.npu.twin.lane_cases import cases, random_case
from tests.npu.twin.naive_lane import slot_turns


@given(cases)
def test_every_symbol_and_turn(case):
    decoded = case.decode()
    np.testing.assert_array_equal(decoded.weights, case.weights[case.dealt])
    np.testing.assert_array_equal(decoded.records, np.arange(len(case.weights)))
    assert not decoded.faults.any()
    assert (decoded.turns.faults == NEVER).all()
    columns, symbols = case.weights.shape[1], 0
    for lane, words in enumerate(case.packed.sections):
        run, value = case.packed.sets[lane * len(case.packed.sets) // case.lanes]
        for thread, (_, turns) in enumerate(slot_turns(words, case.threads, columns, run, value)):
            slot = lane * case.threads + thread
            ends = [turn for turn, (ended, _) in enumerate(turns) if ended]
            first = decoded.turns.first
            assert decoded.turns.ends[first[slot] : first[slot + 1]].tolist() == ends
            symbols += sum(symbol is not None for _, symbol in turns)
    assert decoded.symbols == symbols


def test_turns_behind_the_most_are_not_decoded():
    case = random_case(3, "sparse", 2, 2, 8, False, rows=20, columns=20)
    whole, cut = case.decode(), case.decode(most_turns=11)
    seen = whole.turns.ends < 11
    assert 0 < np.count_nonzero(seen) < 20
    np.testing.assert_array_equal(cut.turns.ends, np.where(seen, whole.turns.ends, NEVER))
    np.testing.assert_array_equal(cut.weights[seen], whole.weights[seen])
    assert cut.symbols == 4 * 11
    assert not cut.faults.any()


# --- refusals -----------------------------------------------------------------------------------
def refusal(change):
    """(fault, lane, thread, bit) of the first slot that is found corrupt, as the lanes find it."""
    case = random_case(4, "sparse", 2, 2, 8, False, rows=20, columns=20)
    banks = case.banks.copy()
    change(banks[1, case.base :])
    slots = case.locate(banks)
    if slots.fault:
        return StreamFault(slots.fault), *divmod(slots.faulty, 2), slots.fault_bit
    decoded = case.decode(banks)
    slot = run_lanes(case.barrel, decoded.turns, ONCE, NEVER).stopped
    if slot == ALL_DONE:
        return (StreamFault.NONE,)
    return StreamFault(decoded.faults[slot]), *divmod(slot, 2), decoded.fault_bits[slot]


def add(word, amount):
    def change(words):
        words[word] = (int(words[word]) + amount) % 2**32

    return change


def only(word, mask):
    def change(words):
        words[word] = int(words[word]) & mask

    return change


@pytest.mark.parametrize(
    ("change", "fault", "thread"),
    [
        (add(0, 10**6), StreamFault.OUTSIDE, 1),
        (add(3, 10**6), StreamFault.OUTSIDE, 1),
        (add(2, -1), StreamFault.OVERRUN, 1),
        (add(3, -1), StreamFault.OVERRUN, 1),
        (add(3, 1), StreamFault.LEFTOVER, 1),
        # One row more than the stream holds.
        (add(2, 1 << STREAM_BITS), StreamFault.OVERRUN, 1),
        # None at all.
        (only(0, MAX_STREAM_BITS), StreamFault.LEFTOVER, 0),
    ],
)
def test_refusals(change, fault, thread):
    found = refusal(change)
    assert found[:3] == (fault, 1, thread)
    if thread == 0:
        assert found[3] == directory_words(2) * WORD_BITS


def test_nothing_is_refused_of_what_is_right():
    assert refusal(lambda words: None) == (StreamFault.NONE,)


def test_a_skipped_row_is_refused():
    case = random_case(5, "sparse", 1, 2, 8, False, rows=20, columns=20)
    assert StreamFault.COLUMN in case.decode(columns=4).faults


@functools.cache
def hostile_case():
    return random_case(6, "sparse", 1, 2, 8, False, rows=20, columns=20)


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=4, max_size=40),
    st.lists(st.integers(0, 450), min_size=4, max_size=4),
    st.lists(st.integers(0, 5), min_size=4, max_size=4),
    st.booleans(),
)
def test_random_words_never_hang_or_leave_the_bank(words, lengths, rows, keep):
    case = hostile_case()
    head = case.packed.sections[0][: directory_words(2)]
    if not keep:
        head = [n + (count << STREAM_BITS) for n, count in zip(lengths, rows, strict=True)]
    banks = np.array([[*[0] * case.base, *head, *words]], np.uint32)
    if case.locate(banks).fault:
        return
    decoded = case.decode(banks)
    run = run_lanes(case.barrel, decoded.turns, ONCE, NEVER)
    assert decoded.symbols <= 20 * 20
    assert run.cycles <= 3000
    assert (run.stopped == ALL_DONE) == (not decoded.faults.any())
