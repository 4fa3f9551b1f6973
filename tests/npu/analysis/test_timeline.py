"""Timelines: parts, and what windows hold of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler import compile_model, load_model
from npu.analysis.frames import decided_frames
from npu.analysis.timeline import Shelves, spread, timeline_of
from npu.chip.params import load_params

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(0, 1000)), max_size=12
)


@pytest.fixture(scope="module")
def timeline(vectors):
    # Banks that are too short: tiles come with every call.
    params = load_params("edge").model_copy(update={"bank_bytes": 8192})
    image = compile_model(load_model(vectors / "fc_wide.tflite"), params)
    return timeline_of(image, decided_frames(image, 3))


def test_parts_follow_on_one_another(timeline):
    names = [part.name for part in timeline.parts]
    assert names == ["boot", "reset", "frame 0", "frame 1", "frame 2"]
    for before, part in zip(timeline.parts, timeline.parts[1:], strict=False):
        assert part.cycle >= before.cycle + before.cycles
        behind = timeline.nanoseconds(part.cycle - before.cycle)
        assert part.begin_ns == pytest.approx(before.begin_ns + behind)
    assert timeline.end_ns == pytest.approx(
        timeline.nanoseconds(timeline.parts[-1].cycle + timeline.parts[-1].cycles)
    )


def test_every_command_is_in_its_part(timeline):
    ends = {}
    for index, command in timeline.commands():
        part = timeline.parts[index]
        assert part.cycle <= command.start <= command.end < part.cycle + part.cycles
        ends[index] = command.end + 1
    assert ends == {i: part.cycle + part.cycles for i, part in enumerate(timeline.parts)}


def test_a_part_begins_when_its_sound_has_come(timeline):
    starts = decided_frames(timeline.image, 1).frames[0]
    at = timeline.end_ns / 1e6 + 5
    timeline.run("late", starts, at)
    assert timeline.parts[-1].begin_ns == pytest.approx(at * 1e6)
    timeline.run("early", starts, at)
    assert timeline.parts[-1].begin_ns > at * 1e6


def test_windows_hold_every_byte_and_every_product(timeline):
    windows = timeline.windows()
    moved = sum(t.n_bytes for _, t in timeline.transfers())
    # Also what goes on when a part has halted.
    assert sum(w.n_bytes.sum() for w in windows) == pytest.approx(moved)
    lanes = timeline.params.lanes
    for part, each in zip(timeline.parts[2:], windows[2:], strict=True):
        assert each.edges[0] == part.cycle and each.edges[-1] >= part.cycle + part.cycles
        macs = (each.occupancy * np.diff(each.edges)).sum() * lanes
        assert macs == pytest.approx(timeline.image.header.layers[0].nonzeros)
        assert each.occupancy.min() >= 0 and each.occupancy.max() <= 1


@given(SPANS)
def test_what_is_spread_is_what_lies_in_a_window(spans):
    edges = np.arange(0, 100, 7)
    rows = [(begin, begin + length, amount) for begin, length, amount in spans]
    found = spread(np.array(rows, np.float64).reshape(-1, 3), edges)
    expected = np.zeros(len(edges) - 1)
    for begin, length, amount in spans:
        for cycle in range(begin, begin + length):
            if cycle < edges[-1]:
                expected[cycle // 7] += amount / length
    assert np.allclose(found, expected)


@given(SPANS)
def test_shelves_are_as_few_as_overlap(spans):
    spans = sorted((begin, begin + length) for begin, length, _ in spans)
    shelves, ends = Shelves([]), {}
    for begin, end in spans:
        shelf = shelves.put(begin, end)
        assert ends.get(shelf, 0) <= begin
        ends[shelf] = end
    most = max((sum(b <= t < e for b, e in spans) for t, _ in spans), default=0)
    assert len(shelves.ends) == most
