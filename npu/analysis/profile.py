"""Where the cycles go: an observer of the twin that adds them up by command, layer and segment."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from npu.analysis.frames import (
    Bounded,
    Frame,
    assumed_frames,
    decided_by,
    graph_frames,
    hypothesis_frame,
    reset_frame,
    searches_on_chip,
)
from npu.chip.isa import OPCODES, Command
from npu.chip.trace import Retire
from npu.events.machine import EventMachine, events_of
from npu.events.stretch import COUNTS
from npu.events.trace import Start
from npu.model.layer import CONTROL, Layer
from npu.runtime.header import BOOT, TensorInfo
from npu.runtime.host_beam import is_for_beam
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession, TransducerSession
from npu.twin.machine import Machine

PRODUCTS = tuple(name for name, opcode in OPCODES.items() if opcode.unit == "matvec")
UNITS = ("sequencer", "matvec", "vector", "dma", "wait")


@dataclass
class _Command:
    """What one command of the program did in all its runs."""

    runs: int = 0
    cycles: int = 0
    run_cycles: int = 0
    macs: int = 0
    wait: int = 0
    overhead: int = 0
    n_bytes: int = 0


@dataclass(frozen=True)
class LayerCycles:
    """The products of one weight matrix.

    Attributes
    ----------
    products : products that were made.
    cycles : of the matrix-vector unit per product, from its start to its last result.
    run_cycles : those of them in which the lanes decode and multiply.
    macs : multiplications by a nonzero weight, per product.
    """

    products: int
    cycles: float
    run_cycles: float
    macs: float


@dataclass(frozen=True)
class SegmentCycles:
    """A straight piece of the program (one graph of the model), per run of it.

    Attributes
    ----------
    runs : how often it ran.
    cycles : per run; the sum of `units`.
    units : cycles per run by unit: sequencer (fetch, decode, scalars), matvec, vector, dma
        (transfers that are waited for) and wait (for transfers behind the products).
    macs : multiplications by a nonzero weight, per run.
    n_bytes : bytes that its transfers move over the bus, per run.
    """

    runs: int
    cycles: float
    units: dict[str, float] = field(default_factory=dict)
    macs: float = 0
    n_bytes: float = 0


class Taken(NamedTuple):
    """What a profile saw: as its `layers` and `segments` give it."""

    layers: dict[Layer, LayerCycles]
    segments: dict[str, SegmentCycles]


class Profile:
    """Give it to a session as `observer`; read it after any number of runs.

    Every cycle between a start of the chip and its halt belongs to exactly one command: to the unit
    that does it, from its start to its end, or to the sequencer that fetched and decoded it.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self._seen = (0, 0, 0, 0, 0)
        self.clear()

    def clear(self) -> None:
        """Forget what was seen."""
        self._commands = [_Command() for _ in range(self.image.n_commands)]
        self._names = [""] * self.image.n_commands

    def __call__(self, retire: Retire, machine: Machine) -> None:
        c = machine.counters
        moved = c.bytes_read + c.bytes_written
        run = machine.events.matvec_run_cycles
        seen = (run, c.macs, c.wait_cycles, moved, c.sequencer_cycles)
        run_cycles, macs, wait, n_bytes, overhead = (
            now - old for now, old in zip(seen, self._seen, strict=True)
        )
        self._seen = seen
        command = self._commands[retire.pc]
        command.runs += 1
        command.cycles += retire.end - retire.start + 1
        command.run_cycles += run_cycles
        command.macs += macs
        command.wait += wait
        command.overhead += overhead
        command.n_bytes += n_bytes
        self._names[retire.pc] = retire.name

    def add(self, machine: EventMachine) -> None:
        """What ran on an event machine since that was made or cleared."""
        tally = machine.tally()
        counts = dict(zip(COUNTS, tally.counts.T, strict=True))
        moved = counts["bytes_read"] + counts["bytes_written"]
        for pc in np.flatnonzero(tally.runs).tolist():
            command, ran = self._commands[pc], machine.program[pc]
            assert isinstance(ran, Command), "it has run"
            self._names[pc] = ran.opcode.name
            command.runs += int(tally.runs[pc])
            command.cycles += int(tally.spent[pc])
            command.run_cycles += int(counts["matvec_run_cycles"][pc])
            command.macs += int(counts["macs"][pc])
            command.wait += int(counts["wait_cycles"][pc])
            command.overhead += int(counts["sequencer_cycles"][pc])
            command.n_bytes += int(moved[pc])

    def taken(self) -> "Taken":
        """What was seen, which is forgotten."""
        found = Taken(self.layers(), self.segments())
        self.clear()
        return found

    @property
    def cycles(self) -> int:
        """All cycles that were seen."""
        return sum(c.cycles + c.overhead for c in self._commands)

    def layers(self) -> dict[Layer, LayerCycles]:
        """By layer, of the image's matrices; those that did not run are left out."""
        found = {}
        for info in self.image.header.layers:
            all_of = [(self._names[pc], c) for pc, c in self._of(info.layer)]
            # With those that say where the windows are.
            commands = [c for name, c in all_of if name in PRODUCTS]
            products = sum(c.runs for name, c in all_of if name == "MATVEC") // info.tiles
            if products:
                found[info.layer] = LayerCycles(
                    products,
                    sum(c.cycles for c in commands) / products,
                    sum(c.run_cycles for c in commands) / products,
                    sum(c.macs for c in commands) / products,
                )
        return found

    def segments(self) -> dict[str, SegmentCycles]:
        """By name: the graphs of the model, and "control" for the loop around them."""
        header = self.image.header
        members: dict[str, list[int]] = {}
        for pc, layer in enumerate(header.command_layer):
            of = header.command_layers[layer]
            if of.graph or of == CONTROL:
                members.setdefault(of.graph or CONTROL.operator, []).append(pc)
        found = {}
        for name, pcs in members.items():
            # A segment is a straight line: it runs as often as its first command.
            runs = 1 if name == CONTROL.operator else self._commands[pcs[0]].runs
            if any(self._commands[pc].runs for pc in pcs):
                units = self._units(pcs)
                found[name] = SegmentCycles(
                    runs,
                    sum(units.values()) / runs,
                    {u: n / runs for u, n in units.items()},
                    sum(self._commands[pc].macs for pc in pcs) / runs,
                    sum(self._commands[pc].n_bytes for pc in pcs) / runs,
                )
        return found

    def operators(self) -> dict[tuple[str, str], float]:
        """By graph and operator, in the order of the program: cycles per run of the graph."""
        header = self.image.header
        segments = self.segments()
        cycles: dict[tuple[str, str], float] = {}
        for pc, layer in enumerate(header.command_layer):
            of, command = header.command_layers[layer], self._commands[pc]
            segment = segments.get(of.graph or CONTROL.operator)
            if segment is not None:
                key = (of.graph, of.operator)
                spent = (command.cycles + command.overhead) / segment.runs
                cycles[key] = cycles.get(key, 0.0) + spent
        return cycles

    def _of(self, layer: Layer) -> list[tuple[int, _Command]]:
        header = self.image.header
        if layer not in header.command_layers:
            return []
        index = header.command_layers.index(layer)
        return [(pc, self._commands[pc]) for pc, i in enumerate(header.command_layer) if i == index]

    def _units(self, pcs: list[int]) -> dict[str, int]:
        units = dict.fromkeys(UNITS, 0)
        for pc in pcs:
            command, name = self._commands[pc], self._names[pc]
            if command.runs:
                units["sequencer"] += command.overhead
                unit = OPCODES[name].unit
                units[unit] += command.cycles - command.wait
                units["wait"] += command.wait
        return units


@dataclass(frozen=True)
class Measurement:
    """Cycles of an image, once through it.

    Attributes
    ----------
    boot, reset : cycles of loading what stays on the chip, and of beginning an utterance.
    layers, segments : as `Profile` gives them. A transducer's decoder is measured in the reset,
        its encoder and joiner in one encoder call.
    operators : as `Profile` gives them; of a transducer, in one encoder call.
    """

    boot: int
    reset: int
    layers: dict[Layer, LayerCycles]
    segments: dict[str, SegmentCycles]
    operators: dict[tuple[str, str], float]


def measure(image: Image) -> Measurement:
    """Run an image once: as events where no value decides, or else on the twin with zeros.

    The encoder call of a transducer that searches on the chip, or for a beam, emits no symbol.
    """
    if searches_on_chip(image):
        return measure_events(image, assumed_frames(image, 1, 0)[0])
    if is_for_beam(image):
        return measure_events(image, hypothesis_frame(image, 0))
    if image.header.transducer is None and not decided_by(image):
        return measure_events(image, graph_frames(image, 1)[0])
    return measure_twin(image)


def measure_events(image: Image, frame: Frame) -> Measurement:
    """Run an image up to the end of a frame, as events."""
    machine, profile = events_of(image), Profile(image)
    run = Bounded(image, machine).run
    boot = run(Start(image.header.entry(BOOT).pc))
    reset = sum(map(run, reset_frame(image)))
    profile.add(machine)
    before = profile.taken()
    machine.clear()
    for start in frame:
        run(start)
    profile.add(machine)
    return _measurement(boot, reset, before, profile)


def measure_twin(image: Image) -> Measurement:
    """Run an image once on the twin, on inputs of zeros."""
    profile = Profile(image)
    session: GraphSession | TransducerSession
    if image.header.transducer is not None:
        session = TransducerSession(image, observer=profile)
        before = profile.taken()
        session.accept(_zeros(image.header.features))
    else:
        session = GraphSession(image, observer=profile)
        before = profile.taken()
        session.invoke([_zeros(tensor) for tensor in image.header.invoke.inputs])
    return _measurement(session.boot_cycles, session.reset_cycles, before, profile)


def _measurement(boot: int, reset: int, before: Taken, call: Profile) -> Measurement:
    """before : of boot and reset, in which a transducer's decoder runs; call : of a call."""
    layers, segments = call.layers(), call.segments()
    if call.image.header.transducer is not None:
        layers, segments = {**before.layers, **layers}, {**before.segments, **segments}
    return Measurement(boot, reset, layers, segments, call.operators())


def _zeros(tensor: TensorInfo) -> np.ndarray:
    return np.zeros(tensor.shape, tensor.dtype)
