"""Reference, twin and RTL side by side: every record, every output, up to the first difference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from npu.analysis.lockstep import Clocked, Lockstep, RecordDifference
from npu.analysis.results import VerifyReport, WavesReport
from npu.chip.isa import decode_program
from npu.chip.machine import MachineFactory
from npu.chip.summary import summary
from npu.chip.trace import Difference, Retire, first_difference
from npu.errors import MachineError
from npu.model.recording import Recording
from npu.runtime.calls import Inputs, Session, call, open_session
from npu.runtime.image import Image
from npu.runtime.npz import named

TWIN, RTL, NETLIST = "twin", "rtl", "netlist"
_NOTHING = np.zeros(0, np.int8)


class Reference(Protocol):
    """What answers without a chip."""

    def call(
        self, inputs: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], dict[str, list[np.ndarray]]]:
        """The outputs of a call, of a transducer its tokens; the vectors by probe."""


@dataclass(frozen=True)
class Machines:
    """What makes the two machines.

    Attributes
    ----------
    twin, rtl : the factories.
    cells : by kind, where a netlist stands in the place of the RTL.
    """

    twin: MachineFactory
    rtl: MachineFactory
    cells: dict[str, int] | None = None


class Sides:
    """The engines, and what was compared so far.

    Parameters
    ----------
    image : what twin and RTL run.
    machines : what they run on.
    reference : by its name in reports, at most one; none leaves it out.
    max_cycles : of a start; None for what the image can need.
    """

    def __init__(
        self,
        image: Image,
        machines: Machines,
        reference: Mapping[str, Reference],
        max_cycles: int | None = None,
    ) -> None:
        self.image = image
        self.cells = machines.cells
        self.max_cycles = max_cycles
        self.reference = reference
        self.clocks = {TWIN: Clocked(machines.twin), RTL: Clocked(machines.rtl)}
        self.lockstep = Lockstep()
        self.recordings = {name: Recording() for name in self.clocks}
        self.sessions: dict[str, Session] = {}
        self.calls = 0
        self.compared: dict[str, int] = {}
        self.difference: dict[str, Any] | None = None
        self.clocked: dict[str, float] | None = None

    def run(self, calls: Sequence[Inputs], advance: Callable[[int], None]) -> None:
        """Boot, reset and every call, until something differs; completes the waveforms."""
        try:
            for name in self.clocks:
                self._guarded(name, partial(self._boot, name))
            for inputs in calls:
                self._compare_call(inputs)
                advance(1)
        except RecordDifference as found:
            self.difference = _record_difference(self.image, found, self.calls)
        finally:
            if (machine := self.clocks[RTL].machine) is not None:
                if (clocked := getattr(machine, "clocked", None)) and machine.cycle:
                    self.clocked = {name: n / machine.cycle for name, n in clocked.items()}
                machine.close()

    def report(self, waves: str | None, twin_waves: WavesReport | None = None) -> VerifyReport:
        """What was compared, and the first difference."""
        equal = twin_waves is None or twin_waves["difference"] is None
        return {
            "model": self.image.header.model,
            "chip": summary(self.image.params),
            "equal": equal and self.difference is None,
            "engines": [*self.reference, TWIN, RTL if self.cells is None else NETLIST],
            "calls": self.calls,
            "commands": self.lockstep.compared,
            "outputs": self.compared,
            "twin": self.clocks[TWIN].report(),
            "rtl": self.clocks[RTL].report(),
            "cells": self.cells,
            "clocked": self.clocked,
            "waves": waves,
            "twin_waves": twin_waves,
            "difference": self.difference,
        }

    def _compare_call(self, inputs: Inputs) -> None:
        """One call on every engine. Raises RecordDifference."""
        if self.difference is not None:
            return
        answers = {
            name: self._named(*engine.call(inputs)) for name, engine in self.reference.items()
        }
        for name in self.clocks:
            self._guarded(name, partial(self._call, name, inputs, answers))
        self._compare(answers)
        self.calls += 1

    def _boot(self, name: str) -> None:
        observer = self.lockstep.of_twin if name == TWIN else self.lockstep.of_rtl
        self.sessions[name] = open_session(
            self.image,
            machine=self.clocks[name],
            observer=observer,
            recording=self.recordings[name],
            max_cycles=self.max_cycles,
        )

    def _call(self, name: str, inputs: Inputs, answers: dict[str, Any]) -> None:
        outputs = call(self.sessions[name], inputs)
        recording = self.recordings[name]
        answers[name] = self._named(outputs, recording.vectors)
        recording.clear()

    def _named(
        self, outputs: list[np.ndarray], vectors: dict[str, list[np.ndarray]]
    ) -> dict[str, np.ndarray]:
        is_transducer = self.image.header.kind == "transducer"
        answers = {"tokens": outputs[0]} if is_transducer else named(outputs)
        return answers | {key: np.array(found) for key, found in vectors.items()}

    def _guarded(self, name: str, run: Callable[[], None]) -> None:
        """What stops the RTL must have stopped the twin before."""
        try:
            run()
        except MachineError as error:
            if name == TWIN:
                raise
            self.lockstep.stopped(self.clocks[name].machine, error)
        if name == RTL:
            self.lockstep.stopped(self.clocks[name].machine)

    def _compare(self, answers: dict[str, dict[str, np.ndarray]]) -> None:
        right_name, *others = answers
        # What only one engine has is a difference, whichever it is.
        for key in dict.fromkeys(key for found in answers.values() for key in found):
            right = answers[right_name].get(key, _NOTHING)
            for name in others:
                found = answers[name].get(key, _NOTHING)
                if not np.array_equal(right, found):
                    # None where only the shapes differ.
                    place = first_difference(right, found) or Difference(right.size, None, None)
                    self.difference = {
                        "kind": "output",
                        "call": self.calls,
                        "output": key,
                        "element": place.index,
                        right_name: place.left,
                        name: place.right,
                    }
                    return
            self.compared[key] = self.compared.get(key, 0) + right.size


def _record_difference(image: Image, found: RecordDifference, number: int) -> dict[str, Any]:
    return {
        "kind": "record",
        "call": number,
        "cycle": found.cycle,
        "command": found.pc,
        "twin": _record(image, found.twin),
        "rtl": _record(image, found.rtl),
        "rtl_stopped": found.reason or None,
        "waves_ps": found.waves_ps,
    }


def _record(image: Image, retire: Retire | None) -> dict[str, Any] | None:
    if retire is None:
        return None
    header, commands = image.header, decode_program(image.program)
    inside = retire.pc < len(commands)
    return {
        **retire.as_dict(),
        "disassembly": str(commands[retire.pc]) if inside else "outside the program",
        "layer": str(header.command_layers[header.command_layer[retire.pc]]) if inside else "",
    }
