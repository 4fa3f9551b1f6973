"""Where the time of a model goes on a chip: layer by layer and command by command, frame by frame.

A frame is a call of a graph, or an encoder call of a transducer with the symbols that it emits.
Figures of layers and commands are means over the frames; boot and reset stand apart.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from npu.analysis.bounds import border_cycles, operator_bounds
from npu.analysis.causes import CAUSES, bound_by, causes_of, counts_by_name
from npu.analysis.energy import Powered
from npu.analysis.frames import DEFAULT_FRAMES, Bounded, decided_frames
from npu.analysis.spent import Counted
from npu.chip.isa import Command
from npu.chip.params import ChipParams
from npu.events.machine import EventMachine, events_of
from npu.events.trace import Start
from npu.model.graph import Graph
from npu.model.layer import Layer
from npu.runtime.header import BOOT, RESET
from npu.runtime.image import Image

PERCENTILES = (50, 90, 99)

BORDER = "border"
"""Of a graph's ideals: its inputs and outputs."""


class Ideal(NamedTuple):
    """The bounds of a graph on a chip, once through; see `npu.analysis.bounds`.

    Attributes
    ----------
    operators : cycles by operator.
    border : cycles of inputs and outputs over the bus.
    """

    operators: dict[str, float]
    border: float


def ideals_of(graphs: Mapping[str, Graph], params: ChipParams) -> dict[str, Ideal]:
    """By the graphs' roles in a model."""
    found = {}
    for role, graph in graphs.items():
        bounds = operator_bounds(graph, params)
        names = [op.name for op in graph.operators]
        operators = {n: max(each.values()) for n, each in zip(names, bounds, strict=True)}
        found[role] = Ideal(operators, border_cycles(graph, params))
    return found


@dataclass(frozen=True)
class Figures:
    """What a part of a program takes in a frame.

    Attributes
    ----------
    runs : commands that ran.
    causes : cycles by `npu.analysis.causes.CAUSES`.
    ideal_cycles : the bound, None where nobody knows it.
    memory_bytes : by `npu.analysis.spent.MEMORIES`.
    energy_uj : by component, and their "total".
    """

    runs: float
    causes: Mapping[str, float]
    ideal_cycles: float | None
    macs: float
    memory_bytes: Mapping[str, float]
    energy_uj: Mapping[str, float]

    @property
    def cycles(self) -> float:
        return sum(self.causes.values())

    @property
    def bound_by(self) -> str:
        """The cause of most cycles."""
        return bound_by(self.causes)


@dataclass(frozen=True)
class Tiles:
    """The weight tiles of an operator.

    Attributes
    ----------
    streamed_bytes : that come over the bus in a frame, by commands of the graph's "streaming".
    """

    tiles: int
    resident_tiles: int
    resident_bytes: int
    streamed_bytes: float


@dataclass(frozen=True)
class LayerLatency:
    """An operator of a graph, or work around the operators; `tiles` of what has weights."""

    graph: str
    operator: str
    figures: Figures
    tiles: Tiles | None


@dataclass(frozen=True)
class CommandLatency:
    """A command of the program: its disassembly, and the layer that it works for."""

    pc: int
    text: str
    unit: str
    layer: Layer
    figures: Figures


@dataclass(frozen=True)
class Latency:
    """A model's latency on a chip.

    Attributes
    ----------
    decided : what decided where data would, in words.
    boot_cycles, reset_cycles : of loading what stays, and of beginning an utterance.
    frame_cycles : (frames,) int64; the reset before one amid a stream counts to it.
    total, layers, commands : of the frames, resets before them included.
    """

    model: str
    params: ChipParams
    decided: str
    boot_cycles: int
    reset_cycles: int
    frame_cycles: np.ndarray
    total: Figures
    layers: Sequence[LayerLatency]
    commands: Sequence[CommandLatency]

    def percentile_cycles(self, percent: float) -> float:
        """Of the frames' cycles, as `numpy.percentile`."""
        return float(np.percentile(self.frame_cycles, percent))


class Frames:
    """Runs frames on an image, and says what they took.

    Parameters
    ----------
    image : what runs.
    machine : what it runs on; BOOT is its first start.
    ideals : of the image's graphs; None where only the image is there.

    Attributes
    ----------
    cycles : of every frame since the reset.
    """

    def __init__(
        self, image: Image, machine: EventMachine, ideals: Mapping[str, Ideal] | None = None
    ) -> None:
        self.image, self.machine = image, machine
        self._ideals = ideals
        self._start = Bounded(image, machine).run
        self._boot = self._start(Start(image.header.entry(BOOT).pc))
        self._reset = 0
        self.cycles: list[int] = []

    def reset(self, starts: Sequence[Start] = ()) -> None:
        """Begin an utterance; what was before is not counted. `starts`: RESET unless given."""
        starts = starts or [Start(self.image.header.entry(RESET).pc)]
        self._reset = sum(map(self._start, starts))
        self.machine.clear()
        self.cycles = []

    def run(self, starts: Sequence[Start]) -> int:
        """A frame: one start, or several; returns its cycles."""
        self.cycles.append(sum(map(self._start, starts)))
        return self.cycles[-1]

    def latency(self, decided: str, powered: Powered | None = None) -> Latency:
        """Of the frames since the reset.

        decided : as `Latency` has it. powered : as long as they ran unless given.
        """
        image = self.image
        parts = _Parts(image, self.machine, len(self.cycles))
        pcs = parts.ran
        ideals = None
        if self._ideals is not None:
            ideals = {name: parts.ideals(name, ideal) for name, ideal in self._ideals.items()}
        layers = []
        for (graph, operator), of in parts.operators().items():
            ideal = None if ideals is None else ideals.get(graph, {}).get(operator)
            tiles = parts.tiles(graph, operator)
            layers.append(LayerLatency(graph, operator, parts.figures(of, ideal), tiles))
        total = None if ideals is None else sum(sum(each.values()) for each in ideals.values())
        return Latency(
            model=image.header.model,
            params=image.params,
            decided=decided,
            boot_cycles=self._boot,
            reset_cycles=self._reset,
            frame_cycles=np.array(self.cycles, np.int64),
            total=parts.figures(pcs, total, powered),
            layers=layers,
            commands=[parts.command(pc) for pc in pcs],
        )


def latency_of(
    image: Image,
    ideals: Mapping[str, Ideal] | None = None,
    *,
    frames: int = DEFAULT_FRAMES,
    symbols: int | None = None,
    advance: Callable[[int], None] = lambda steps: None,
) -> Latency:
    """Of so many frames without a sound.

    ideals : of the graphs that the image was compiled from. symbols : as
    `npu.analysis.frames.decided_frames` takes them. advance : called behind every frame.
    """
    decided = decided_frames(image, frames, symbols)
    runner = Frames(image, events_of(image), ideals)
    runner.reset(decided.reset)
    for starts in decided.frames:
        runner.run(starts)
        advance(1)
    return runner.latency(decided.by)


class _Parts:
    """Figures of parts of a program, from what its commands did in so many frames.

    Attributes
    ----------
    ran : the commands that ran.
    """

    def __init__(self, image: Image, machine: EventMachine, frames: int) -> None:
        self._image, self._frames = image, max(frames, 1)
        self._tally = machine.tally()
        self.ran = [int(pc) for pc in np.flatnonzero(self._tally.runs)]
        self._commands = {
            pc: cmd for pc in self.ran if isinstance(cmd := machine.program[pc], Command)
        }
        self._causes = {
            pc: causes_of(cmd, self._tally, pc, image.params) for pc, cmd in self._commands.items()
        }
        # Of tiles, by matrix, in a frame.
        self._products: Counter[Layer] = Counter()
        for pc, cmd in self._commands.items():
            if cmd.opcode.name == "MATVEC":
                self._products[self.layer(pc)] += self._tally.runs[pc] / self._frames

    def layer(self, pc: int) -> Layer:
        """What a command works for."""
        header = self._image.header
        return header.command_layers[header.command_layer[pc]]

    def operators(self) -> dict[tuple[str, str], list[int]]:
        """The commands that ran by graph and operator, in the order of the program."""
        found: dict[tuple[str, str], list[int]] = {}
        for pc in self.ran:
            layer = self.layer(pc)
            found.setdefault((layer.graph, layer.operator), []).append(pc)
        return found

    def ideals(self, graph: str, ideal: Ideal) -> dict[str, float]:
        """Of a graph, by operator and for its border: as often as each ran in a frame."""
        # A graph begins once. So does an operator, with its first command, or it has none.
        first: dict[str, int] = {}
        header = self._image.header
        for pc, place in enumerate(header.command_layer):
            layer = header.command_layers[place]
            if layer.graph == graph:
                first.setdefault(layer.operator, pc)
        if not first:
            return {}
        runs = {name: int(self._tally.runs[pc]) / self._frames for name, pc in first.items()}
        once = int(self._tally.runs[min(first.values())]) / self._frames
        found = {name: runs.get(name, once) * cycles for name, cycles in ideal.operators.items()}
        return {**found, BORDER: once * ideal.border}

    def tiles(self, graph: str, operator: str) -> Tiles | None:
        """Of an operator; None for what has no weights."""
        infos = [
            info
            for info in self._image.header.layers
            if (info.layer.graph, info.layer.operator) == (graph, operator)
        ]
        if not infos:
            return None
        return Tiles(
            tiles=sum(info.tiles for info in infos),
            resident_tiles=sum(info.resident_tiles for info in infos),
            resident_bytes=sum(info.resident_bytes for info in infos),
            streamed_bytes=sum(
                self._products[info.layer] / info.tiles * info.streamed_bytes for info in infos
            ),
        )

    def command(self, pc: int) -> CommandLatency:
        """A command that ran."""
        cmd = self._commands[pc]
        figures = self.figures([pc], None)
        return CommandLatency(pc, str(cmd), cmd.opcode.unit, self.layer(pc), figures)

    def figures(
        self, pcs: Sequence[int], ideal: float | None, powered: Powered | None = None
    ) -> Figures:
        """Of some commands, a frame. `powered`: of all frames."""
        frames, params, tally = self._frames, self._image.params, self._tally
        causes = {cause: sum(self._causes[pc][cause] for pc in pcs) / frames for cause in CAUSES}
        cycles = sum(causes.values()) * frames
        counted = Counted.of(counts_by_name(tally.counts[pcs].sum(axis=0)), round(cycles))
        powered = powered or Powered(params.milliseconds(cycles) / 1e3)
        energy = counted.energy_uj(params, powered)
        return Figures(
            runs=int(tally.runs[pcs].sum()) / frames,
            causes=causes,
            ideal_cycles=ideal,
            macs=counted.counters.macs / frames,
            memory_bytes={k: n / frames for k, n in counted.memory_bytes(params).items()},
            energy_uj={cause: each / frames for cause, each in energy.items()},
        )
