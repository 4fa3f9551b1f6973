"""Traces for Perfetto: read back with its own schema, they hold every cycle."""

import io
from collections import defaultdict

import pytest

from compiler import compile_model, load_model
from npu.analysis.frames import decided_frames
from npu.analysis.timeline import timeline_of
from npu.chip.isa import UNITS
from npu.chip.params import load_params

pytest.importorskip("perfetto", reason="the extra `trace` is not installed")

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

from npu.analysis import perfetto

ROOT = 1


class Read:
    """A trace, as a reader of the format sees it.

    Attributes
    ----------
    tracks : descriptors by number. slices : (name, begin ns, end ns, depth, arguments) by track.
    counters : (ns, value) by track.
    """

    def __init__(self, data):
        trace = schema.Trace.FromString(data)
        assert trace.IsInitialized()
        trace.DiscardUnknownFields()
        assert len(trace.SerializeToString()) == len(data), "every field is the schema's"
        self.tracks, self.slices, self.counters = {}, defaultdict(list), defaultdict(list)
        texts, opened, latest = {}, defaultdict(list), defaultdict(int)
        first, *rest = trace.packet
        assert first.sequence_flags == schema.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        for packet in rest:
            assert packet.trusted_packet_sequence_id == perfetto.SEQUENCE
            for field, entries in packet.interned_data.ListFields():
                for entry in entries:
                    assert (field.name, entry.iid) not in texts
                    text = entry.str.decode() if field.name.endswith("values") else entry.name
                    texts[field.name, entry.iid] = text
            if packet.HasField("track_descriptor"):
                track = packet.track_descriptor
                assert track.uuid not in self.tracks
                assert track.uuid == ROOT or track.parent_uuid in self.tracks
                self.tracks[track.uuid] = track
                continue
            event, at = packet.track_event, packet.timestamp
            assert event.track_uuid in self.tracks
            assert latest[event.track_uuid] <= at, "a track's events are in order"
            latest[event.track_uuid] = at
            if event.type == event.TYPE_SLICE_BEGIN:
                name = texts["event_names", event.name_iid]
                arguments = {
                    texts["debug_annotation_names", note.name_iid]: (
                        texts["debug_annotation_string_values", note.string_value_iid]
                        if note.HasField("string_value_iid")
                        else note.int_value
                    )
                    for note in event.debug_annotations
                }
                opened[event.track_uuid].append((name, at, arguments))
            elif event.type == event.TYPE_SLICE_END:
                name, begin, arguments = opened[event.track_uuid].pop()
                depth = len(opened[event.track_uuid])
                self.slices[event.track_uuid].append((name, begin, at, depth, arguments))
            else:
                assert event.type == event.TYPE_COUNTER
                assert self.tracks[event.track_uuid].HasField("counter")
                self.counters[event.track_uuid].append((at, event.double_counter_value))
        assert not any(opened.values())

    def named(self, name):
        return [uuid for uuid, track in self.tracks.items() if track.name == name]


@pytest.fixture(scope="module", params=["fc_wide", "lstm"])
def written(request, vectors):
    # Banks that are too short: tiles come with every call, and two at a time.
    path = next(iter(sorted(vectors.glob(f"{request.param}*.tflite"))))
    params = load_params("edge").model_copy(update={"bank_bytes": 8192, "clock_mhz": 333})
    image = compile_model(load_model(path), params)
    timeline = timeline_of(image, decided_frames(image, 2))
    file = io.BytesIO()
    perfetto.write_trace(timeline, file)
    return timeline, Read(file.getvalue())


def test_commands_sum_to_all_cycles(written):
    timeline, read = written
    (track,) = read.named("sequencer")
    commands = [each for each in read.slices[track] if each[3] == 0]
    assert len(commands) == sum(1 for _ in timeline.commands())
    spent = sum(end - begin for _, begin, end, _, _ in commands)
    rounded = len(timeline.parts)
    assert spent == pytest.approx(timeline.nanoseconds(timeline.cycles), abs=rounded)
    # In cycles exactly: each command's begin is the end of the one before.
    inside = [each for each in read.slices[track] if each[3] == 1]
    assert {name for name, *_ in inside} == {perfetto.OVERHEAD}
    cycles, behind = 0, 0
    begins = {part.cycle for part in timeline.parts}
    ends = {part.cycle + part.cycles for part in timeline.parts}
    for *_, arguments in commands:
        if behind in ends or not cycles:
            behind = min(b for b in begins if b >= behind)
        cycles += arguments["end"] + 1 - behind
        behind = arguments["end"] + 1
    assert cycles == timeline.cycles


def test_slices_say_what_they_are(written):
    timeline, read = written
    header, program = timeline.image.header, timeline.disassembly()
    for unit in UNITS:
        (track,) = read.named(unit)
        for name, begin, end, depth, arguments in read.slices[track]:
            if depth:
                continue
            pc = arguments["pc"]
            assert arguments["command"] == program[pc] and program[pc].split()[0] == name
            assert arguments["layer"] == str(header.command_layers[header.command_layer[pc]])
            if unit != "sequencer":
                cycles = arguments["end"] + 1 - arguments["start"]
                assert end - begin == pytest.approx(timeline.nanoseconds(cycles), abs=1)


def test_transfers_are_all_there_and_none_is_over_another(written):
    timeline, read = written
    found = []
    for track in read.named("transfers"):
        behind = 0
        for name, begin, end, depth, arguments in read.slices[track]:
            assert depth == 0 and begin >= behind
            behind = end
            found.append((arguments["start"], arguments["done"], arguments["bytes"], name))
    expected = [(t.start, t.done, t.n_bytes, t.kind) for _, t in timeline.transfers()]
    assert sorted(found) == sorted(expected)


def test_counters_end_at_nothing(written):
    timeline, read = written
    for name, unit in ((perfetto.BUS, "MB/s"), (perfetto.LANES, "%")):
        (track,) = read.named(name)
        assert read.tracks[track].counter.unit_name == unit
        values = [value for _, value in read.counters[track]]
        assert values[-1] == 0 < max(values)
    assert max(values) <= 100
    bytes_a_second = timeline.params.bus_bytes * timeline.params.clock_mhz
    assert max(v for _, v in read.counters[read.named(perfetto.BUS)[0]]) <= 1.01 * bytes_a_second


def test_parts_are_slices(written):
    timeline, read = written
    (track,) = read.named("starts")
    names = [name for name, *_ in read.slices[track]]
    assert names == [part.name for part in timeline.parts]
