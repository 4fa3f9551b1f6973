"""How long the lanes take, against a slow model of them: every cycle, stall and row."""

import numpy as np
import pytest
from hypothesis import given

from npu.chip import timing
from npu.chip.lanes import ALL_DONE, ENDLESS, NEVER, ONCE, Barrel, Turns, run_lanes
from tests.npu.twin.lane_cases import cases, random_case
from tests.npu.twin.naive_lane import simulate


def check_against_naive(case):
    """The slow model's outcome, which is that of the lanes."""
    decoded = case.decode()
    run = run_lanes(case.barrel, decoded.turns, ONCE, NEVER)
    assert run.stopped == ALL_DONE
    model = simulate(
        case.packed.sections,
        case.threads,
        case.weights.shape[1],
        case.packed.sets,
        case.fifo_depth,
    )
    assert (run.cycles, decoded.symbols, run.stalled) == (
        model.cycles,
        model.symbols,
        model.stalled,
    )
    assert decoded.records[run.order].tolist() == [record for record, _ in model.taken]
    return model


@given(cases)
def test_every_cycle(case):
    check_against_naive(case)


def test_back_pressure():
    """Rows of one nonzero finish faster than the requantiser takes them."""
    case = random_case(1, "one nonzero", 5, 3, 9, False, rows=200, columns=20)
    model = check_against_naive(case)
    assert model.stalled > 200
    # The requantiser never idles from the first row on, which ends on its thread's second turn.
    first = case.threads + timing.LANE_PIPELINE
    assert model.cycles == first + 199 + timing.REQUANTISE + 1


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


def test_the_cycles_need_no_weights():
    """A matrix that nobody has: rows of ten turns each in one slot, and one of two in another."""
    ends = np.array([9, 19, 29, 1])
    turns = Turns(np.array([0, 3, 4, 4, 4]), ends, np.full(4, NEVER))
    run = run_lanes(Barrel(2, 2, 8), turns, ONCE, NEVER)
    assert run.order.tolist() == [3, 0, 1, 2]
    # Slot 0 has every other cycle.
    last = 2 * 29 + timing.LANE_PIPELINE + timing.REQUANTISE
    assert (run.cycles, run.stalled, run.stopped) == (last + 1, 0, ALL_DONE)


def test_no_rows_take_no_cycles():
    none = np.zeros(0, np.int64)
    run = run_lanes(Barrel(1, 2, 8), Turns(np.zeros(3, np.int64), none, np.full(2, NEVER)), ONCE, 0)
    assert (run.cycles, run.stopped) == (0, ALL_DONE)


@pytest.mark.parametrize("fault_first", [True, False])
def test_the_first_fault_in_time_stops_the_lanes(fault_first):
    """Not the first slot's; in one cycle the lowest lane's, and a limit before it if it is less."""
    first, ends = np.array([0, 1, 2, 3, 4]), np.full(4, 50)
    # Slots of two lanes and two threads: turn t of slot s is in cycle 2 * t + s % 2.
    faults = np.array([7, 6, 9, 6])
    run = run_lanes(Barrel(2, 2, 8), Turns(first, ends, faults), ONCE, NEVER)
    assert (run.stopped, run.cycles) == (1, 13)
    faults[1] = 8
    run = run_lanes(Barrel(2, 2, 8), Turns(first, ends, faults), ONCE, NEVER)
    assert (run.stopped, run.cycles) == (3, 13)
    limit = 14 if fault_first else 13
    run = run_lanes(Barrel(2, 2, 8), Turns(first, ends, faults), ONCE, limit)
    assert run.stopped == (3 if fault_first else ENDLESS)


def test_a_limit_is_reached_or_not():
    case = random_case(7, "sparse", 2, 2, 8, False, rows=20, columns=20)
    whole = case.run()
    assert case.run(most_cycles=whole.cycles).stopped == ALL_DONE
    # The last write comes REQUANTISE cycles behind the last row that is taken.
    taken = whole.cycles - timing.REQUANTISE
    assert case.run(most_cycles=taken).stopped == ALL_DONE
    assert case.run(most_cycles=taken - 1).stopped == ENDLESS
