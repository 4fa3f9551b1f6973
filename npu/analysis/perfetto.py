"""A timeline as a trace for Perfetto: its protobuf format, written packet by packet.

Tracks: the parts; the sequencer, whose slices are the commands one behind the other with fetch and
decode, so that they sum to the cycles of the parts; each unit's own commands; transfers, which may
overlap; counters of the bus and of the lanes. A timestamp is a nanosecond of real time, rounded;
cycles stand in the arguments, exactly.

Format: https://perfetto.dev/docs/reference/trace-packet-proto. Needs the extra `trace`.
"""

import math
from typing import Any, BinaryIO

import numpy as np
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import (
    CounterDescriptor,
    TracePacket,
    TrackDescriptor,
    TrackEvent,
)
from perfetto.trace_builder.proto_builder import (
    StreamingTraceProtoBuilder,
)

from npu.analysis.timeline import Part, Shelves, Timeline
from npu.chip.isa import UNITS
from npu.chip.summary import summary, summary_text
from npu.text import printable

SEQUENCE = 1
"""All packets are one sequence: what is interned in one is known to those behind it."""

Arguments = dict[str, int | str]

OVERHEAD = "fetch, decode"
BUS, LANES = "bus", "lanes occupied"


def write_trace(timeline: Timeline, file: BinaryIO) -> None:
    """Write a timeline to a file that is open for writing."""
    writer = _Writer(timeline, file)
    writer.parts()
    writer.commands()
    writer.transfers()
    writer.counters()


class _Writer:
    def __init__(self, timeline: Timeline, file: BinaryIO) -> None:
        self._timeline = timeline
        self._builder = StreamingTraceProtoBuilder(file)
        # By the interned field and the text.
        self._interned: dict[tuple[str, str], int] = {}
        self._tracks = 0
        packet = self._packet()
        packet.sequence_flags = TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        self._builder.write_packet(packet)
        header = timeline.image.header
        chip = summary_text(summary(timeline.params))
        self._root = self._track(printable(f"{header.model} on {chip}"), parent=None)

    def parts(self) -> None:
        """A slice for every part."""
        track = self._track("starts")
        for part in self._timeline.parts:
            arguments: Arguments = {"cycle": part.cycle, "cycles": part.cycles}
            self._slice(track, part, part.cycle, part.cycle + part.cycles, part.name, arguments)

    def commands(self) -> None:
        """Every command on the sequencer's track, and on that of its unit."""
        timeline, header = self._timeline, self._timeline.image.header
        tracks = {unit: self._track(unit) for unit in UNITS}
        texts = timeline.disassembly()
        layers = [printable(str(layer)) for layer in header.command_layers]
        last, behind = -1, 0
        for index, command in timeline.commands():
            part = timeline.parts[index]
            if index != last:
                last, behind = index, part.cycle
            arguments: Arguments = {
                "pc": command.pc,
                "command": texts[command.pc],
                "layer": layers[header.command_layer[command.pc]],
                "start": command.start,
                "end": command.end,
                "wait": command.wait,
            }
            sequencer, name, end = tracks["sequencer"], command.name, command.end + 1
            self._begin(sequencer, part, behind, name, arguments)
            self._slice(sequencer, part, behind, command.start, OVERHEAD)
            self._end(sequencer, part, end)
            if command.unit != "sequencer":
                self._slice(tracks[command.unit], part, command.start, end, name, arguments)
            behind = end

    def transfers(self) -> None:
        """Every transfer; those at the same time on tracks of the same name."""
        timeline = self._timeline
        found = sorted(
            (self._time(timeline.parts[index], transfer.start), transfer.start, index, transfer)
            for index, transfer in timeline.transfers()
        )
        shelves = Shelves([])
        tracks: list[int] = []
        for begin, start, index, transfer in found:
            part = timeline.parts[index]
            shelf = shelves.put(begin, self._time(part, transfer.done + 1))
            if shelf == len(tracks):
                tracks.append(self._track("transfers"))
            arguments: Arguments = {
                "pc": transfer.pc,
                "start": start,
                "done": transfer.done,
                "bytes": transfer.n_bytes,
            }
            if transfer.tag is not None:
                arguments["tag"] = transfer.tag
            self._slice(tracks[shelf], part, start, transfer.done + 1, transfer.kind, arguments)

    def counters(self) -> None:
        """Bandwidth of the bus and occupancy of the lanes, window by window."""
        timeline = self._timeline
        bus, lanes = self._track(BUS, unit="MB/s"), self._track(LANES, unit="%")
        for part, windows in zip(timeline.parts, timeline.windows(), strict=True):
            edges = windows.edges.tolist()
            microseconds = timeline.nanoseconds(1) / 1e3 * np.maximum(np.diff(windows.edges), 1)
            # The last ones end with the part. A byte a microsecond is a megabyte a second.
            for track, values in (
                (bus, windows.n_bytes / microseconds),
                (lanes, 100 * windows.occupancy),
            ):
                for cycle, value in zip(edges, [*values.tolist(), 0.0], strict=True):
                    self._counter(track, part, cycle, value)

    # --- packets --------------------------------------------------------------------------------
    def _packet(self) -> Any:
        packet = self._builder.create_packet()
        packet.trusted_packet_sequence_id = SEQUENCE
        return packet

    def _track(self, name: str, *, parent: int | None = 0, unit: str | None = None) -> int:
        """A new track; its number. parent : 0 is the root, None of no track."""
        packet = self._packet()
        self._tracks += 1
        track = packet.track_descriptor
        track.uuid, track.name = self._tracks, name
        track.sibling_order_rank = self._tracks
        if parent is not None:
            track.parent_uuid = parent or self._root
        else:
            track.child_ordering = TrackDescriptor.EXPLICIT
        if unit is not None:
            track.counter.unit = CounterDescriptor.UNIT_UNSPECIFIED
            track.counter.unit_name = unit
        self._builder.write_packet(packet)
        return self._tracks

    def _time(self, part: Part, cycle: int) -> int:
        return math.floor(part.begin_ns + self._timeline.nanoseconds(cycle - part.cycle) + 0.5)

    def _event(self, track: int, part: Part, cycle: int, kind: int) -> Any:
        packet = self._packet()
        packet.timestamp = self._time(part, cycle)
        packet.track_event.type = kind
        packet.track_event.track_uuid = track
        packet.sequence_flags = TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        return packet

    def _slice(
        self,
        track: int,
        part: Part,
        begin: int,
        end: int,
        name: str,
        arguments: Arguments | None = None,
    ) -> None:
        self._begin(track, part, begin, name, arguments or {})
        self._end(track, part, end)

    def _begin(self, track: int, part: Part, cycle: int, name: str, arguments: Arguments) -> None:
        packet = self._event(track, part, cycle, TrackEvent.TYPE_SLICE_BEGIN)
        event = packet.track_event
        event.name_iid = self._intern(packet, "event_names", name)
        for key, value in arguments.items():
            note = event.debug_annotations.add()
            note.name_iid = self._intern(packet, "debug_annotation_names", key)
            if isinstance(value, str):
                text = self._intern(packet, "debug_annotation_string_values", value)
                note.string_value_iid = text
            else:
                note.int_value = value
        self._builder.write_packet(packet)

    def _end(self, track: int, part: Part, cycle: int) -> None:
        self._builder.write_packet(self._event(track, part, cycle, TrackEvent.TYPE_SLICE_END))

    def _counter(self, track: int, part: Part, cycle: int, value: float) -> None:
        packet = self._event(track, part, cycle, TrackEvent.TYPE_COUNTER)
        packet.track_event.double_counter_value = value
        self._builder.write_packet(packet)

    def _intern(self, packet: Any, field: str, text: str) -> int:
        """The number of a text in `field`; a new one goes with the packet."""
        key = (field, text)
        if key not in self._interned:
            self._interned[key] = len(self._interned) + 1
            entry = getattr(packet.interned_data, field).add()
            entry.iid = self._interned[key]
            if field == "debug_annotation_string_values":
                entry.str = text.encode()
            else:
                entry.name = text
        return self._interned[key]
