"""The lanes against a slow model of them, in every cycle, stall and element."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import choose_sets, encode
from compiler.codec.deal import deal
from npu.chip import timing
from npu.chip.weight_format import (
    MAX_STREAM_BITS,
    MAX_SYMBOLS,
    SETS,
    STREAM_BITS,
    WORD_BITS,
    directory_words,
)
from npu.twin import lane
from tests import naive
from tests.npu.twin.naive_lane import simulate


def stacked(tables):
    """Raw bits, limits, offsets and entries of the sets' tables, as `lane.step` takes them."""
    entries = [np.resize(table.entries, MAX_SYMBOLS) for table in tables]
    return (
        np.array([table.raw_bits for table in tables]),
        np.array([table.limits() for table in tables]),
        np.array([table.offsets() for table in tables]),
        np.array(entries, np.uint8),
    )


@dataclasses.dataclass
class Case:
    """A matrix, dealt and packed, with everything that a product needs."""

    weights: np.ndarray
    slots: list
    lanes: int
    threads: int
    fifo_depth: int
    per_row: bool
    activations: np.ndarray
    bias: np.ndarray
    destination: np.ndarray
    scale: np.ndarray
    multipliers: np.ndarray
    shifts: np.ndarray
    base: int = 3
    zero_point: int = -5
    sets: int = 1

    def __post_init__(self):
        sets = choose_sets([(self.weights, self.slots)], self.lanes, self.sets)
        self.packed = encode(self.weights, self.slots, self.lanes, self.threads, sets)
        # The sections stand in the middle of banks full of something else.
        longest = max(map(len, self.packed.sections))
        noise = np.random.default_rng(1).integers(0, 2**32, (self.lanes, self.base + longest + 2))
        self.banks = noise.astype(np.uint32)
        for bank, section in zip(self.banks, self.packed.sections, strict=True):
            bank[self.base : self.base + len(section)] = section

    def step(self, banks=None, records=None, elements=None, room=None):
        """lane.step's answer, with the outputs, the order of the rows and the plan."""
        rows = len(self.weights)
        room = rows * self.weights.shape[1] if room is None else room
        out = np.full(rows if elements is None else elements, 9999, np.int64)
        plan = (np.zeros(room, np.int32), np.zeros(room, np.int32), np.zeros(room, np.int8))
        order = np.full((rows, 2), -1, np.int64)
        runs, values = zip(*self.packed.sets, strict=True)
        answer = lane.step(
            *(self.banks if banks is None else banks, self.base, self.threads),
            *(*stacked(runs), *stacked(values)),
            *(self.activations, self.bias[:records], self.destination, self.scale),
            *(self.multipliers, self.shifts, self.per_row),
            *(self.fifo_depth, self.zero_point, -100, 90, out, order, *plan),
        )
        return answer, out, order, plan

    def expected(self):
        """Outputs by exact arithmetic."""
        out = np.full(len(self.weights), 9999, np.int64)
        for record, row in enumerate(np.concatenate(self.slots).astype(int)):
            index = record if self.per_row else self.scale[record]
            total = sum(
                int(w) * int(x) for w, x in zip(self.weights[row], self.activations, strict=True)
            )
            out[self.destination[record]] = naive.requantize(
                *(total + int(self.bias[record]), int(self.multipliers[index])),
                *(int(self.shifts[index]), self.zero_point, -100, 90),
            )
        return out


KINDS = ("sparse", "dense", "one nonzero", "empty", "mixed")


def random_case(seed, kind, lanes, threads, fifo_depth, per_row, rows=None, columns=None, sets=1):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(0, 50)) if rows is None else rows
    columns = int(rng.integers(1, 40)) if columns is None else columns
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    if kind in ("one nonzero", "empty"):
        weights[:] = 0
    elif kind != "dense":
        weights[rng.random(weights.shape) >= 0.2] = 0
    if kind == "one nonzero":
        weights[np.arange(rows), rng.integers(0, columns, rows)] = 7
    if kind == "mixed":
        weights[: rows // 2] = 0
        weights[: rows // 2, 0] = 1
    if rng.random() < 0.5:
        slots = deal(np.count_nonzero(weights, axis=1), lanes * threads)
    else:
        slot_of = rng.integers(0, max(1, lanes * threads // 2), rows)
        slots = [np.flatnonzero(slot_of == slot) for slot in range(lanes * threads)]
    scales = max(1, rows) if per_row else 3
    return Case(
        *(weights, slots, lanes, threads, fifo_depth, per_row),
        activations=rng.integers(-255, 256, columns) * (rng.random(columns) < 0.8),
        bias=rng.integers(-(2**31), 2**31, rows) >> rng.integers(0, 32),
        destination=rng.permutation(rows),
        scale=rng.integers(0, 3, rows),
        multipliers=rng.integers(2**30, 2**31, scales),
        shifts=rng.integers(-12, 3, scales),
        sets=sets,
    )


cases = st.builds(
    random_case,
    st.integers(0, 2**32 - 1),
    st.sampled_from(KINDS),
    st.integers(1, 6),
    st.integers(2, 8),
    st.integers(8, 20),
    st.booleans(),
    sets=st.sampled_from(SETS),
)


def check_against_naive(case):
    (status, *_, cycles, symbols, macs, gated, stalled), out, order, plan = case.step()
    assert status == 0
    columns = case.weights.shape[1]
    model = simulate(
        *(case.packed.sections, case.threads, columns, case.packed.sets),
        *(case.fifo_depth, 2 if case.per_row else 1),
    )
    assert (cycles, symbols, stalled) == (model.cycles, model.symbols, model.stalled)
    assert order[:, 1].tolist() == [record for record, _ in model.taken]
    assert macs == np.count_nonzero(case.weights)
    assert gated == np.count_nonzero(case.weights[:, case.activations == 0])
    np.testing.assert_array_equal(out, case.expected())
    # The plan holds every symbol, by the number of its row.
    found = [[] for _ in range(len(case.weights))]
    for row, column, weight in list(zip(*plan, strict=True))[:symbols]:
        found[row].append((int(column), int(weight)))
    assert [found[number] for number, _ in order] == [row for _, row in model.taken]
    return model


@given(cases)
def test_every_cycle_and_element(case):
    check_against_naive(case)


@pytest.mark.parametrize("per_row", [False, True])
def test_back_pressure(per_row):
    """Rows of one nonzero finish faster than the requantiser takes them."""
    case = random_case(1, "one nonzero", 5, 3, 9, per_row, rows=200, columns=20)
    model = check_against_naive(case)
    assert model.stalled > 200
    rate = 2 if per_row else 1
    # The requantiser never idles from the first row on, which ends on its thread's second turn.
    first = case.threads + timing.LANE_PIPELINE
    assert model.cycles == first + rate * 199 + timing.REQUANTISE + 1


def test_one_symbol_per_lane_and_cycle():
    for threads in (2, 5):
        case = random_case(2, "dense", 4, threads, 16, False, rows=40 * threads, columns=39)
        model = check_against_naive(case)
        assert model.stalled == 0
        turns = 10 * threads * 39
        assert model.symbols == 4 * turns
        turns += threads  # the terminators
        # The last rows of the lanes end together and leave one after the other.
        assert (
            turns < model.cycles <= turns + timing.LANE_PIPELINE + timing.REQUANTISE + 4 * threads
        )


@given(cases, st.booleans())
def test_planned_equals_step(case, wide):
    case.activations = np.clip(case.activations, -128, 127)
    (_, *_, symbols, _, gated, _), out, order, (rows, columns, values) = case.step()
    weights = np.zeros(case.weights.shape, np.int8)
    weights[rows[:symbols], columns[:symbols]] = values[:symbols]
    number, taken = order.T
    index = taken if case.per_row else case.scale[taken]
    again = np.zeros(len(out), np.int16 if wide else np.int8)
    gated_again = lane.planned(
        *(weights[number], np.count_nonzero(weights, axis=0)),
        *(case.activations.astype(np.int8), 0, case.bias[taken], case.destination[taken]),
        *(case.multipliers[index], case.shifts[index], case.zero_point, -100, 90, again),
    )
    np.testing.assert_array_equal(again, out)
    assert gated_again == gated


@given(st.integers(-256, 255))
def test_activations_are_broadcast_in_nine_bits(zero):
    vector = np.arange(-128, 128).astype(np.int8)
    found = lane.broadcast(vector, zero)
    for x, activation in zip(vector.tolist(), found.tolist(), strict=True):
        assert -256 <= activation < 256
        assert (activation - (x - zero)) % 512 == 0


def test_a_plan_without_room_is_cut_and_counted():
    case = random_case(3, "sparse", 2, 2, 8, False, rows=20, columns=20)
    full, out, *_ = case.step()
    cut, out_cut, _, plan = case.step(room=11)
    assert full == cut
    assert full[5] > 11
    np.testing.assert_array_equal(out, out_cut)
    assert np.count_nonzero(plan[2]) == 11


# --- refusals -----------------------------------------------------------------------------------
def refusal(change=lambda words: None, **options):
    case = random_case(4, "sparse", 2, 2, 8, False, rows=20, columns=20)
    banks = case.banks.copy()
    change(banks[1, case.base :])
    for key in ("destination", "scale", "multipliers", "shifts"):
        if key in options:
            setattr(case, key, options.pop(key))
    status, at_lane, thread, bit, *_ = case.step(banks=banks, **options)[0]
    return lane.FAULTS[status][1], at_lane, thread, bit


def add(word, amount):
    def change(words):
        words[word] = (int(words[word]) + amount) % 2**32

    return change


def only(word, mask):
    def change(words):
        words[word] = int(words[word]) & mask

    return change


def test_refusals():
    first = directory_words(2) * WORD_BITS
    outside, overrun = "a stream ends outside the bank", "a stream runs past its end"
    leftover = "a stream is not used up at the end of its rows"
    assert refusal(add(0, 10**6))[:3] == (outside, 1, 1)
    assert refusal(add(3, 10**6))[:3] == (outside, 1, 1)
    assert refusal(add(2, -1))[:3] == (overrun, 1, 1)
    assert refusal(add(3, -1))[:3] == (overrun, 1, 1)
    assert refusal(add(3, 1))[:3] == (leftover, 1, 1)
    # More rows than the stream holds, or none at all.
    assert refusal(add(2, 1 << STREAM_BITS), records=21)[:3] in [
        ("a row record lies outside parameter memory", 1, 1),
        (overrun, 1, 1),
    ]
    assert refusal(only(0, MAX_STREAM_BITS)) == (leftover, 1, 0, first)
    assert refusal(records=19)[0] == "a row record lies outside parameter memory"
    index = "a destination or scale index is out of range"
    assert refusal(elements=19)[0] == index
    assert refusal(scale=np.full(20, 3))[0] == index
    scale = "a scale is out of range"
    assert refusal(multipliers=np.array([2**30, -1, 2**30]))[0] == scale
    for shift in (-32, 31):
        assert refusal(shifts=np.array([0, 0, shift]))[0] == scale


def test_a_skipped_row_is_refused():
    case = random_case(5, "sparse", 1, 2, 8, False, rows=20, columns=20)
    case.activations = case.activations[:4]
    assert lane.FAULTS[case.step()[0][0]][1] == "a column lies outside the input vector"


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
    status, *_, cycles, symbols, _, _, _ = case.step(banks=banks)[0]
    assert symbols <= 20 * 20
    assert cycles <= 3000
    assert status in (0, *lane.FAULTS)
