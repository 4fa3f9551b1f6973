"""The schema of `npu latency`'s report, and how the figures come into it."""

from typing import NotRequired, TypedDict

from npu.analysis.latency import PERCENTILES, Figures, Latency, Tiles
from npu.analysis.utterance import UtteranceLatency
from npu.chip.summary import ChipSummary, summary


class FiguresReport(TypedDict):
    """As `npu.analysis.latency.Figures`, a frame.

    Attributes
    ----------
    causes : cycles by `npu.analysis.causes.CAUSES`; they sum to `cycles`.
    over_ideal : cycles over the ideal; None where that is none or 0.
    """

    runs: float
    cycles: float
    ms: float
    bound_by: str
    causes: dict[str, float]
    ideal_cycles: float | None
    over_ideal: float | None
    macs: float
    memory_bytes: dict[str, float]
    energy_uj: dict[str, float]


class TilesReport(TypedDict):
    """As `npu.analysis.latency.Tiles`."""

    tiles: int
    resident_tiles: int
    resident_bytes: int
    streamed_bytes: float


class LayerFigures(FiguresReport):
    """An operator of a graph, or work around them; `tiles` is None for what has no weights."""

    name: str
    graph: str
    operator: str
    tiles: TilesReport | None


class CommandFigures(FiguresReport):
    """A command of the program: its disassembly, and what it works for."""

    pc: int
    text: str
    unit: str
    layer: str


class PhraseFigures(TypedDict):
    """As `npu.analysis.utterance.PhraseLatency`."""

    text: str
    end_ms: float
    last_symbol_ms: float
    perceived_ms: float


class UtteranceFigures(TypedDict):
    """As `npu.analysis.utterance.UtteranceLatency`. `in_time`: no frame takes longer than until
    the next one comes."""

    file: str
    audio_ms: float
    deadline_ms: float
    in_time: bool
    busy_ms: float
    busy_share: float
    real_time_factor: float
    phrases: list[PhraseFigures]


class PaceFigures(TypedDict):
    """How a transducer keeps up where no sound says so: a frame is due every `deadline_ms`.

    Attributes
    ----------
    real_time_factor : of the mean frame, its time over that of its sound.
    slowest : the same of the slowest.
    """

    deadline_ms: float
    real_time_factor: float
    slowest: float


class FrameFigures(TypedDict):
    """Of all frames: cycles and milliseconds by "p50", "p90", "p99" and "max"."""

    cycles: dict[str, float]
    ms: dict[str, float]
    each: list[int]


class LatencyReport(TypedDict):
    """`npu latency`.

    Attributes
    ----------
    frames, decided : how many, and what decided where data would, in words.
    total : its energy is that while the chip works; of an utterance, while it is powered.
    layers, commands : of a frame in the mean, in the order of the program.
    """

    model: str
    chip: ChipSummary
    frames: int
    decided: str
    boot_cycles: int
    reset_cycles: int
    frame: FrameFigures
    total: FiguresReport
    layers: list[LayerFigures]
    commands: NotRequired[list[CommandFigures]]
    pace: NotRequired[PaceFigures]
    utterance: NotRequired[UtteranceFigures]


def latency_report(latency: Latency, *, commands: bool = False) -> LatencyReport:
    """The report of some frames; `commands` : with every command of the program."""
    params = latency.params

    def figures(of: Figures) -> FiguresReport:
        cycles, ideal = of.cycles, of.ideal_cycles
        return {
            "runs": of.runs,
            "cycles": cycles,
            "ms": params.milliseconds(cycles),
            "bound_by": of.bound_by,
            "causes": dict(of.causes),
            "ideal_cycles": ideal,
            "over_ideal": cycles / ideal if ideal else None,
            "macs": of.macs,
            "memory_bytes": dict(of.memory_bytes),
            "energy_uj": dict(of.energy_uj),
        }

    at = {f"p{percent}": latency.percentile_cycles(percent) for percent in PERCENTILES}
    at["max"] = float(latency.frame_cycles.max())
    report: LatencyReport = {
        "model": latency.model,
        "chip": summary(params),
        "frames": len(latency.frame_cycles),
        "decided": latency.decided,
        "boot_cycles": latency.boot_cycles,
        "reset_cycles": latency.reset_cycles,
        "frame": {
            "cycles": at,
            "ms": {name: params.milliseconds(cycles) for name, cycles in at.items()},
            "each": latency.frame_cycles.tolist(),
        },
        "total": figures(latency.total),
        "layers": [
            {
                "name": f"{layer.graph}: {layer.operator}" if layer.graph else layer.operator,
                "graph": layer.graph,
                "operator": layer.operator,
                "tiles": None if layer.tiles is None else _tiles(layer.tiles),
                **figures(layer.figures),
            }
            for layer in latency.layers
        ],
    }
    if commands:
        report["commands"] = [
            {
                "pc": command.pc,
                "text": command.text,
                "unit": command.unit,
                "layer": str(command.layer),
                **figures(command.figures),
            }
            for command in latency.commands
        ]
    return report


def pace_figures(latency: Latency, deadline_ms: float) -> PaceFigures:
    """What a frame's duration of sound adds to the report of a transducer."""
    times = [latency.params.milliseconds(int(cycles)) for cycles in latency.frame_cycles]
    return {
        "deadline_ms": deadline_ms,
        "real_time_factor": sum(times) / len(times) / deadline_ms,
        "slowest": max(times) / deadline_ms,
    }


def _tiles(of: Tiles) -> TilesReport:
    return {
        "tiles": of.tiles,
        "resident_tiles": of.resident_tiles,
        "resident_bytes": of.resident_bytes,
        "streamed_bytes": of.streamed_bytes,
    }


def utterance_figures(file: str, of: UtteranceLatency) -> UtteranceFigures:
    """What a file of sound adds to the report."""
    worst = of.latency.params.milliseconds(int(of.latency.frame_cycles.max()))
    return {
        "file": file,
        "audio_ms": of.audio_ms,
        "deadline_ms": of.deadline_ms,
        "in_time": worst <= of.deadline_ms,
        "busy_ms": of.busy_ms,
        "busy_share": of.busy_share,
        "real_time_factor": of.real_time_factor,
        "phrases": [
            {
                "text": phrase.text,
                "end_ms": phrase.end_ms,
                "last_symbol_ms": phrase.last_symbol_ms,
                "perceived_ms": phrase.perceived_ms,
            }
            for phrase in of.phrases
        ],
    }
