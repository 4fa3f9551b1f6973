"""What the page of a model shows, gathered from a compiled model and its frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compiler import Model
from compiler.programs import Program
from compiler.sram_map import SramMap, sram_map
from npu.analysis.frames import decided_frames
from npu.analysis.latency import Frames, Ideal, Latency, ideals_of, latency_of
from npu.analysis.latency_report import (
    FiguresReport,
    LatencyReport,
    LayerFigures,
    latency_report,
    utterance_figures,
)
from npu.analysis.layers import layer_label, layer_report, memory_report, totals
from npu.analysis.results import LayerReport, MemoryUse, WeightsReport
from npu.analysis.timeline import Timeline, Windows
from npu.analysis.utterance import SoundFrames, utterance_latency
from npu.chip.params import ChipParams
from npu.events.machine import events_of
from npu.events.trace import Start
from npu.runtime.image import Image
from npu.speech.audio import stream_audio
from npu.speech.host import Speech
from npu.speech.lattice import Lattice
from npu.speech.listen import Event, Kind

WINDOWS = 240
"""Of the frame that is shown window by window."""

_SOUND_COLUMNS = 1200
_FRAMES_SHOWN = 600
_CONTEXT = 16

STREAMING = "streaming"
"""What commands that load tiles behind the products work for, in a graph."""


@dataclass(frozen=True)
class Moment:
    """A frame, window by window.

    Attributes
    ----------
    name : which frame. begin, cycles : of it on the machine.
    work : (first cycle, cycle behind the last, layer) of what ran, in order.
    """

    name: str
    begin: int
    cycles: int
    windows: Windows
    work: Sequence[tuple[int, int, str]]


@dataclass(frozen=True)
class Sound:
    """A sound that was heard.

    Attributes
    ----------
    spectrogram : (bins, columns) float32, logarithm of power as the model hears it.
    seconds_per_column : of the spectrogram.
    at_seconds, cycles, ms : when each frame came, and how long it took; of a long sound the slowest
        of some neighbours.
    symbols : (seconds, text) of each that was found.
    wave : (columns, 2) float32, the lowest and the highest sample of each, over all seconds.
    seconds : of the sound.
    events : what `npu listen` tells of it.
    """

    spectrogram: np.ndarray
    seconds_per_column: float
    at_seconds: np.ndarray
    cycles: np.ndarray
    ms: np.ndarray
    symbols: Sequence[tuple[float, str]]
    wave: np.ndarray
    seconds: float
    events: Sequence[Event]

    @property
    def lattices(self) -> list[tuple[str, Lattice]]:
        """Of the phrases that a beam has heard, with their texts."""
        told = [event.spoken for event in self.events if event.kind == Kind.FINAL]
        return [(each.text, each.lattice) for each in told if each.lattice and each.lattice.arcs]


@dataclass(frozen=True)
class Content:
    """All of it.

    Attributes
    ----------
    bus_bytes : of every layer of `latency`, those of its streamed weights among them.
    sram : None where only an image is there. sound : of a report with sound.
    """

    params: ChipParams
    latency: LatencyReport
    bus_bytes: Sequence[float]
    matrices: Sequence[LayerReport]
    weights: WeightsReport
    memory: Mapping[str, MemoryUse]
    moment: Moment
    sram: SramMap | None
    sound: Sound | None

    @property
    def energy_mw(self) -> float | None:
        """Of a sound: mean power while it is heard, waiting included."""
        if "utterance" not in self.latency:
            return None
        uj = self.latency["total"]["energy_uj"]["total"] * self.latency["frames"]
        utterance = self.latency["utterance"]
        # A microjoule a millisecond is a milliwatt.
        return uj / max(utterance["audio_ms"], utterance["busy_ms"])


def content_of_frames(
    loaded: Model | None, image: Image, frames: int, symbols: int | None = None
) -> Content:
    """Of so many frames without a sound; `symbols` as `npu.analysis.latency.latency_of`."""
    latency = latency_of(image, _ideals(loaded, image), frames=frames, symbols=symbols)
    decided = decided_frames(image, 2, symbols)
    moment = _moment(image, decided.reset, decided.frames, "a frame behind another")
    sram = None if loaded is None else sram_map(loaded, image.params)
    return _content(image, latency_report(latency), moment, sram, None)


def content_of_sound(
    loaded: Model | None,
    image: Image,
    sound: SoundFrames,
    path: str,
    decided: str,
    events: Sequence[Event],
    program: Program | None = None,
) -> Content:
    """Of the frames of a sound in the file `path`.

    decided : who heard it. events : what was told of it as it came. program : of the image, as
    `compiler.compile_model` takes it.
    """
    runner = Frames(image, events_of(image), _ideals(loaded, image))
    of = utterance_latency(runner, sound, decided)
    report = latency_report(of.latency)
    report["utterance"] = utterance_figures(Path(path).name, of)
    slowest = int(of.latency.frame_cycles.argmax())
    frames = sound.frames[max(slowest - 1, 0) : slowest + 1]
    moment = _moment(image, sound.reset, frames, f"the slowest frame, number {slowest}")
    sram = None if loaded is None else sram_map(loaded, image.params, program)
    return _content(image, report, moment, sram, _sound(sound, path, of.latency, events))


def _content(
    image: Image,
    report: LatencyReport,
    moment: Moment,
    sram: SramMap | None,
    sound: Sound | None,
) -> Content:
    header, params = image.header, image.params
    return Content(
        params=params,
        latency=report,
        bus_bytes=[_bus_bytes(layer) for layer in report["layers"]],
        matrices=[layer_report(layer, None, params.lanes) for layer in header.layers],
        weights=totals(header.layers),
        memory=memory_report(image),
        moment=moment,
        sram=sram,
        sound=sound,
    )


def _bus_bytes(layer: LayerFigures) -> float:
    """Of a layer, what is streamed for it among them: commands that work for no layer move it."""
    if layer["operator"] == STREAMING:
        return 0.0
    return moved_bytes(layer) + (layer["tiles"]["streamed_bytes"] if layer["tiles"] else 0.0)


def moved_bytes(layer: FiguresReport) -> float:
    """Bytes over the bus, of a layer's own commands."""
    return layer["memory_bytes"]["external read"] + layer["memory_bytes"]["external written"]


def _ideals(loaded: Model | None, image: Image) -> dict[str, Ideal] | None:
    return None if loaded is None else ideals_of(loaded.graphs, image.params)


def _moment(
    image: Image, reset: Sequence[Start], frames: Sequence[Sequence[Start]], name: str
) -> Moment:
    """The last start of some frames behind a reset."""
    timeline = Timeline(image)
    timeline.run("reset", reset)
    for number, starts in enumerate(frames):
        timeline.run(str(number), starts)
    part, header = timeline.parts[-1], image.header
    work: list[tuple[int, int, str]] = []
    behind = part.cycle
    for index, command in timeline.commands():
        if index < len(timeline.parts) - 1:
            continue
        layer = header.command_layers[header.command_layer[command.pc]]
        shown = layer_label(f"{layer.graph}: {layer.operator}" if layer.graph else layer.operator)
        if work and work[-1][2] == shown:
            work[-1] = (work[-1][0], command.end + 1, shown)
        else:
            work.append((behind, command.end + 1, shown))
        behind = command.end + 1
    windows = timeline.windows_of(len(timeline.parts) - 1, WINDOWS)
    return Moment(name, part.cycle, part.cycles, windows, work)


def _sound(sound: SoundFrames, path: str, latency: Latency, events: Sequence[Event]) -> Sound:
    comes = np.array(sound.comes_ms) / 1e3
    step = max(1, -(-len(comes) // _FRAMES_SHOWN))
    slowest = np.maximum.reduceat(latency.frame_cycles, np.arange(0, len(comes), step))
    return Sound(
        *_spectrogram(sound.speech, path),
        at_seconds=comes[::step],
        cycles=slowest,
        ms=latency.params.milliseconds(1) * slowest,
        symbols=list(_texts(sound, comes)),
        wave=_wave(sound.speech, path),
        seconds=sound.heard.samples / sound.speech.rate,
        events=events,
    )


def _wave(speech: Speech, path: str) -> np.ndarray:
    """(columns, 2) float32, lowest and highest sample."""
    samples = np.concatenate(list(stream_audio(path, speech.rate)))
    step = max(1, -(-len(samples) // _SOUND_COLUMNS))
    starts = np.arange(0, len(samples), step)
    lowest, highest = (of.reduceat(samples, starts) for of in (np.minimum, np.maximum))
    return np.stack([lowest, highest], axis=1).astype(np.float32)


def _texts(sound: SoundFrames, comes: np.ndarray) -> Iterator[tuple[float, str]]:
    """(seconds, text) of every frame that found symbols: spaces as in the phrase."""
    decode, begins = sound.speech.tokens.decode, set(sound.begins)
    before: list[int] = []
    for index, found in enumerate(sound.symbols):
        if index in begins:
            before = []
        if found:
            known = [*before, *found]
            text = decode(known)[len(decode(before)) :]
            yield float(comes[index]), text
            # Enough for a word mark, or for bytes that make up a character together.
            before = known[-_CONTEXT:]


def _spectrogram(speech: Speech, path: str) -> tuple[np.ndarray, float]:
    """(bins, columns) float32 and the seconds of a column; a long sound by its loudest columns."""
    extractor, front = speech.extractor(), speech.frontend
    calls: list[Any] = [extractor.accept(block) for block in stream_audio(path, speech.rate)]
    # Of calls that overlap, each frame once.
    apart = front.calls_apart(speech.frames_per_call)
    frames = np.concatenate(calls)[:, :apart].reshape(-1, front.stack, front.bins)
    stacks = frames[:, : front.stack_hop]
    columns = (speech.scale * (stacks.reshape(-1, front.bins) - np.float32(speech.zero_point))).T
    step = max(1, -(-columns.shape[1] // _SOUND_COLUMNS))
    loudest = np.maximum.reduceat(columns, np.arange(0, columns.shape[1], step), axis=1)
    return loudest.astype(np.float32), step * front.hop_length / speech.rate
