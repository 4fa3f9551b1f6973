"""The DMA's cycles against a slow model of the bus; its queue, tags and races."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.chip import timing
from npu.chip.counters import Counters
from npu.chip.memory import BusSchedule, ExternalMemory, WriteOrder
from npu.chip.params import load_params
from npu.errors import MachineError
from npu.twin.bus import (
    NO_TILE,
    BusTiming,
    burst_beats,
    last_address,
    no_reads,
    read_cycles,
    write_cycles,
)
from npu.twin.dma import Dma, Place
from tests.npu.twin import naive_axi

ALWAYS = np.ones(1, np.bool_)
patterns = (
    st.lists(st.booleans(), min_size=1, max_size=12)
    .filter(any)
    .map(lambda bits: np.array(bits, np.bool_))
)
bus = st.sampled_from([8, 16, 32, 64])
transfers = st.tuples(
    st.integers(0, 100),  # start
    st.integers(0, 600),  # address in bus words
    st.integers(1, 300),  # beats
    bus,
    st.sampled_from([1, 3, 16, 64, 256]),  # longest
)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 600), st.integers(1, 150)), min_size=1),
    bus,
    st.sampled_from([1, 3, 16, 64, 256]),
    st.integers(1, 5),
    st.integers(1, 30),
    st.integers(1, 4),
    patterns,
    patterns,
)
def test_reads(reads, width, longest, outstanding, latency, gap, ar, r):
    timings = (width, longest, outstanding, latency, gap)
    cycle, queued = 0, []
    for pause, word, beats in reads[:6]:
        cycle += pause
        queued.append((cycle, word * width, beats))
    expected, most = naive_axi.reads(queued, *timings, ar, r)
    state, ready, first, found = no_reads(outstanding), 0, 0, []
    for cycle, address, beats in queued:
        first = max(cycle, first) + timing.DMA_START
        last, _ = read_cycles(
            state, first, ready, address, beats, BusTiming(*timings), ar, r, NO_TILE
        )
        first, ready = last_address(state), last + timing.DMA_DONE + timing.DMA_NEXT
        found.append(last)
    assert found == expected
    assert most <= outstanding


def one_read(start, beats, bus):
    """The last beat of a read with nothing around it."""
    state = no_reads(bus.outstanding)
    return read_cycles(state, start, 0, 0, beats, bus, ALWAYS, ALWAYS, NO_TILE)[0]


@pytest.mark.parametrize("order", WriteOrder)
@given(
    transfers,
    st.integers(1, 5),
    st.integers(1, 30),
    st.integers(1, 4),
    patterns,
    patterns,
    patterns,
)
def test_writes(order, transfer, outstanding, latency, gap, aw, w, b):
    start, word, beats, width, longest = transfer
    timings = (width, longest, outstanding, latency, gap)
    in_words = order.name.lower().replace("_", " ")
    expected, most = naive_axi.write(start, word * width, beats, *timings, aw, w, b, in_words)
    bus = BusTiming(*timings)
    assert write_cycles(start, word * width, beats, bus, aw, w, b, int(order)) == expected
    assert most < outstanding


def test_a_store_is_as_long_as_its_beats_and_its_latency():
    def store(order: WriteOrder) -> int:
        bus = BusTiming(8, 64, 4, 20, 1)
        return write_cycles(0, 0, 10, bus, ALWAYS, ALWAYS, ALWAYS, int(order))

    assert store(WriteOrder.EITHER) == 9 + 20
    # The address a cycle before the first beat, or behind the last; or both a cycle late.
    assert {store(order) for order in WriteOrder} - {29} == {30}


def test_a_long_store_moves_a_beat_per_cycle():
    def store(bus: BusTiming) -> int:
        return write_cycles(0, 0, 4000, bus, ALWAYS, ALWAYS, ALWAYS, WriteOrder.EITHER)

    for width, longest, latency in ((8, 64, 20), (16, 64, 60), (32, 256, 200)):
        assert store(BusTiming(width, longest, 5, latency, 1)) == 3999 + latency
    assert store(BusTiming(16, 64, 4, 5, 3)) == 3 * 3999 + 5
    # One burst at a time pays the latency for each, two every second time.
    bursts, latency = -(-4000 // 64), 300
    assert store(BusTiming(16, 64, 1, latency, 1)) == 3999 + latency * bursts
    pair = 64 + latency
    assert store(BusTiming(16, 64, 2, latency, 1)) == (bursts - 1) // 2 * pair + 31 + latency


@given(transfers)
def test_bursts_never_cross_4_kib(transfer):
    _, word, beats, width, longest = transfer
    address, found = word * width, []
    while sum(n for _, n in found) < beats:
        n = burst_beats(address, beats - sum(n for _, n in found), width, longest)
        assert 1 <= n <= longest
        assert address // 4096 == (address + n * width - 1) // 4096
        found.append((address, n))
        address += n * width
    assert found == naive_axi.bursts(word * width, beats, width, longest)


def test_a_long_read_moves_a_beat_per_cycle():
    beats, latency = 4000, 60
    for width, longest in ((8, 64), (16, 64), (32, 256)):
        bus = BusTiming(width, longest, 4, latency, 1)
        end = one_read(0, beats, bus)
        assert end == latency + beats - 1
    slow = BusTiming(16, 64, 4, 5, 3)
    assert one_read(0, beats, slow) == 5 + 3 * (beats - 1)
    # One burst at a time pays the latency for each.
    bursts = -(-beats // 64)
    single = one_read(0, beats, BusTiming(16, 64, 1, latency, 1))
    assert single == beats - 1 + latency * bursts


def engine(counters=None, **changes):
    values = load_params("tiny").model_dump() | changes
    params = type(load_params("tiny"))(**values)
    return Dma(params, ExternalMemory(params, 1 << 16), counters or Counters())


def test_transfers_follow_each_other_in_order():
    counters = Counters()
    queue = engine(counters)
    first = queue.read(100, 0, 10, tag=1, place=Place("bank", 0, 5))
    last_beat = naive_axi.reads([(100, 0, 10)], 8, 64, 4, 20, 1, ALWAYS, ALWAYS)[0][0]
    assert timing.DMA_START == 2
    assert (first.start, first.done) == (100, last_beat + timing.DMA_DONE)
    second = queue.write(101, 64, 3)
    assert second.start == first.done + 1
    assert second.tag is None
    assert (counters.bytes_read, counters.bytes_written) == (80, 24)
    assert counters.transfer_cycles == second.done - first.start + 1


def test_what_is_read_behind_a_read_pays_no_latency():
    queue = engine(counters := Counters(), memory_latency_cycles=200)
    first = queue.read(0, 0, 100, tag=1)
    second = queue.read(5, 8192, 100, tag=1)
    assert second.done - first.done == 100 + timing.DMA_NEXT
    assert second.start < first.done - 250
    assert counters.transfer_cycles == second.done + 1
    # A write waits for all of it, and what follows for the write.
    third = queue.write(6, 0, 3)
    assert third.start == second.done + 1
    assert queue.read(7, 0, 3).start == third.done


def test_the_queue_is_full():
    queue = engine(dma_queue=2)
    assert queue.slot_free_at(0) == 0
    first = queue.read(0, 0, 10, tag=0)
    assert queue.slot_free_at(1) == 1
    second = queue.read(1, 0, 10, tag=0)
    assert queue.slot_free_at(2) == first.done + 1
    third = queue.read(first.done + 1, 0, 10, tag=0)
    assert queue.slot_free_at(first.done + 1) == second.done + 1
    assert queue.slot_free_at(third.done + 1) == third.done + 1


def test_waiting_by_tag():
    queue = engine()
    first = queue.read(0, 0, 10, tag=3)
    second = queue.read(1, 0, 10, tag=5)
    assert queue.wait_until(2, 1 << 3) == first.done + 1
    assert queue.wait_until(2, 1 << 5 | 1 << 3) == second.done + 1
    assert queue.wait_until(2, 1 << 4) == 2
    assert queue.wait_until(first.done, 1 << 3) == first.done + 1
    assert queue.wait_until(first.done + 1, 1 << 3) == first.done + 1
    assert queue.wait_until(second.done + 7, 0xFF) == second.done + 7


def test_pending_transfers_are_found_by_place():
    queue = engine()
    transfer = queue.read(0, 0, 10, tag=0, place=Place("bank", 10, 20))
    for space, first, end, found in (
        ("bank", 0, 10, False),
        ("bank", 20, 30, False),
        ("param", 10, 20, False),
        ("bank", 0, 11, True),
        ("bank", 19, 40, True),
        ("bank", 12, 13, True),
    ):
        assert queue.pending(transfer.done, Place(space, first, end)) is found
    assert not queue.pending(transfer.done + 1, Place("bank", 10, 20))


# --- memory -------------------------------------------------------------------------------------
def test_memory_bounds():
    params = load_params("tiny")
    memory = ExternalMemory(params, 1000)
    assert memory.window(990, 10).shape == (10,)
    for address, n in ((991, 10), (-1, 1), (2**40, 4)):
        with pytest.raises(MachineError, match=rf"bus error: {n} bytes at .* lie outside"):
            memory.window(address, n)
    with pytest.raises(MachineError, match="addresses 16777216"):
        ExternalMemory(params, params.memory_bytes + 1)


def test_a_channel_that_is_never_ready_is_refused():
    with pytest.raises(
        ValueError, match="bus schedule 'w' must be a vector with at least one True"
    ):
        BusSchedule(w=np.zeros(4, np.bool_))
    with pytest.raises(ValueError, match="bus schedule 'r'"):
        BusSchedule(r=np.ones((2, 2), np.bool_))
