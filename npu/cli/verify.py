"""Kernels, twin and RTL side by side: every command's record, every output.

Stops at the first difference. A record is a command's index, opcode, first and last cycle, and a
digest of what it wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from compiler import Model, load_model
from kernels import Interpreter
from npu.chip.isa import decode_program
from npu.chip.trace import Retire
from npu.cli._lockstep import (
    MOST_CALLS,
    Clocked,
    Difference,
    Lockstep,
    call,
    calls_of,
    session_of,
)
from npu.cli._models import (
    chip_option,
    compile_for,
    files_of,
    first_run_notice,
    is_image,
    json_option,
    layer_label,
    load_chip,
    machine_of,
    max_cycles_option,
    open_image,
)
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.cli._speech import kernels_engine
from npu.errors import MachineError
from npu.model.recording import Recording
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession, TransducerSession
from npu.speech.search import GreedySearch

DEFAULT_CHIP = "tiny"
DIFFERENT = 1


@click.command()
@click.argument("model")
@chip_option
@click.option("--input", "input_path", metavar="IN.npz", help="Inputs, as npu run takes them.")
@click.option("--audio", metavar="FILE", help="Sound for a transducer.")
@click.option("--calls", type=click.IntRange(1, MOST_CALLS), metavar="N", help="Only the first N.")
@click.option("--waves", metavar="FILE.vcd", help="Write the RTL's waveforms; slow, and large.")
@max_cycles_option
@json_option
def command(
    model: str,
    chip: str | None,
    input_path: str | None,
    audio: str | None,
    calls: int | None,
    waves: str | None,
    max_cycles: int | None,
    json_path: str | None,
) -> int:
    """Run MODEL on kernels, twin and RTL, and compare every command and every output.

    Without --input or --audio on random inputs, the same ones each time. The chip is tiny unless
    said otherwise. Exit status 1 if anything differs.
    """
    if input_path is not None and audio is not None:
        raise click.UsageError("--input and --audio cannot be given together")
    require_place(waves, json_path, inputs=files_of(model, input_path, audio, chip))
    machine = machine_of("rtl", Path(waves) if waves is not None else None)
    loaded, image = _open(model, chip)
    with first_run_notice():
        inputs = calls_of(image, input_path, audio, calls)
        sides = _Sides(image, loaded, Clocked(machine), max_cycles)
        try:
            with progress("verifying", total=len(inputs)) as advance:
                sides.boot()
                for each in inputs:
                    sides.call(each)
                    advance(1)
        except Difference as difference:
            sides.difference = _record_difference(image, difference, sides.calls)
        finally:
            sides.close()
    report = sides.report(waves)
    emit_json(report, json_path)
    _show(report, console(json_path))
    return 0 if report["equal"] else DIFFERENT


def _open(model: str, chip: str | None) -> tuple[Model | None, Image]:
    """The model, None of an image, and the image."""
    if is_image(model):
        return None, open_image(model, chip)
    params = load_chip(DEFAULT_CHIP if chip is None else chip)
    loaded = load_model(model)
    return loaded, compile_for(loaded, params)


class _Sides:
    """The engines, and what was compared so far.

    Parameters
    ----------
    image : what twin and RTL run.
    model : what the kernels run; without it they are left out.
    rtl : makes the RTL's machine.
    max_cycles : of a start; None for what the image can need.
    """

    def __init__(
        self, image: Image, model: Model | None, rtl: Clocked, max_cycles: int | None = None
    ) -> None:
        self.image = image
        self.max_cycles = max_cycles
        self.kernels = _kernels(model)
        self.clocks = {"twin": Clocked(machine_of("twin")), "rtl": rtl}
        self.lockstep = Lockstep()
        self.recordings = {name: Recording() for name in self.clocks}
        self.sessions: dict[str, GraphSession | TransducerSession] = {}
        self.calls = 0
        self.compared: dict[str, int] = {}
        self.difference: dict[str, Any] | None = None

    def boot(self) -> None:
        """Boot and reset. Raises Difference."""
        for name in self.clocks:
            self._guarded(name, partial(self._boot, name))

    def call(self, inputs: list[np.ndarray]) -> None:
        """One call on every engine. Raises Difference."""
        if self.difference is not None:
            return
        answers = {} if self.kernels is None else {"kernels": self.kernels.call(inputs)}
        for name in self.clocks:
            self._guarded(name, partial(self._call, name, inputs, answers))
        self._compare(answers)
        self.calls += 1

    def close(self) -> None:
        """Complete the waveforms."""
        if (machine := self.clocks["rtl"].machine) is not None:
            machine.close()

    def _boot(self, name: str) -> None:
        observer = self.lockstep.of_twin if name == "twin" else self.lockstep.of_rtl
        self.sessions[name] = session_of(
            self.image,
            machine=self.clocks[name],
            observer=observer,
            recording=self.recordings[name],
            max_cycles=self.max_cycles,
        )

    def _call(self, name: str, inputs: list[np.ndarray], answers: dict[str, Any]) -> None:
        outputs = call(self.sessions[name], inputs)
        vectors = self.recordings[name].vectors
        answers[name] = _named(outputs, self.image.header.kind) | {
            key: np.array(found) for key, found in vectors.items()
        }
        self.recordings[name].clear()

    def _guarded(self, name: str, run: Callable[[], None]) -> None:
        """What stops the RTL must have stopped the twin before."""
        try:
            run()
        except MachineError as error:
            if name == "twin":
                raise
            self.lockstep.stopped(self.clocks[name].machine, error)
        if name == "rtl":
            self.lockstep.stopped(self.clocks[name].machine)

    def _compare(self, answers: dict[str, dict[str, np.ndarray]]) -> None:
        right_name, *others = answers
        for key, right in answers[right_name].items():
            for name in others:
                found = answers[name].get(key, right[:0])
                if not np.array_equal(right, found):
                    self.difference = _output_difference(
                        self.calls, key, {right_name: right, name: found}
                    )
                    return
            self.compared[key] = self.compared.get(key, 0) + right.size

    def report(self, waves: str | None) -> dict[str, Any]:
        params = self.image.params
        return {
            "model": self.image.header.model,
            "chip": {"name": params.name, "lanes": params.lanes, "clock_mhz": params.clock_mhz},
            "equal": self.difference is None,
            "engines": [*(["kernels"] if self.kernels else []), *self.clocks],
            "calls": self.calls,
            "commands": self.lockstep.compared,
            "outputs": self.compared,
            **{name: clock.report() for name, clock in self.clocks.items()},
            "waves": waves,
            "difference": self.difference,
        }


class _Kernels:
    """A model on the kernels, with the vectors that the chip's probes show."""

    def __init__(self, engine: Interpreter | GreedySearch, saw: Recording) -> None:
        self._engine, self._saw = engine, saw

    def call(self, inputs: list[np.ndarray]) -> dict[str, np.ndarray]:
        if isinstance(self._engine, Interpreter):
            return _named(self._engine.invoke(inputs), "graph")
        tokens = np.array(self._engine.accept(inputs[0][np.newaxis]), np.int32)
        vectors = {key: np.array(found) for key, found in self._saw.vectors.items()}
        self._saw.clear()
        return _named([tokens], "transducer") | vectors


def _kernels(model: Model | None) -> _Kernels | None:
    if model is None:
        return None
    saw = Recording()
    if not model.is_transducer:
        return _Kernels(Interpreter(model.graphs["main"]), saw)
    engine = kernels_engine(model, saw)
    engine.reset()
    return _Kernels(engine, saw)


def _named(outputs: list[np.ndarray], kind: str) -> dict[str, np.ndarray]:
    if kind == "transducer":
        return {"tokens": outputs[0]}
    names = ["output"] if len(outputs) == 1 else [f"output{i}" for i in range(len(outputs))]
    return dict(zip(names, outputs, strict=True))


def _output_difference(number: int, name: str, sides: dict[str, np.ndarray]) -> dict[str, Any]:
    """The first element that differs, None where one side has no such element."""
    a, b = (side.reshape(-1) for side in sides.values())
    common = min(a.size, b.size)
    index = next(iter(np.flatnonzero(a[:common] != b[:common])), common)
    return {
        "kind": "output",
        "call": number,
        "output": name,
        "element": int(index),
        **{
            side: int(values[index]) if index < values.size else None
            for side, values in zip(sides, (a, b), strict=True)
        },
    }


def _record_difference(image: Image, found: Difference, number: int) -> dict[str, Any]:
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


def _show(report: dict[str, Any], out: Console) -> None:
    chip, difference = report["chip"], report["difference"]
    if difference is not None:
        (_show_record if difference["kind"] == "record" else _show_output)(difference, report, out)
        return
    lanes = f"{chip['lanes']} lane{'s' * (chip['lanes'] != 1)}"
    outputs = ", ".join(f"{count:,} of {name}" for name, count in report["outputs"].items())
    engines = " = ".join("RTL" if name == "rtl" else name for name in report["engines"])
    out.print(f"{report['model']} on {chip['name']}, {lanes}: {engines}", markup=False)
    lines = {
        "commands": f"{report['commands']:,} compared, twin with RTL: index, opcode, first and "
        "last cycle, digest of what it wrote",
        "outputs": f"{outputs}, {' with '.join([*report['engines'][:1], 'twin and RTL'])}"
        if "kernels" in report["engines"]
        else f"{outputs}, twin with RTL (an image holds nothing for the kernels)",
        "cycles": f"{report['rtl']['cycles']:,} in boot, reset and {report['calls']} "
        f"call{'s' * (report['calls'] != 1)}",
        "speed": f"twin {report['twin']['cycles_per_second']:,.0f}, "
        f"RTL {report['rtl']['cycles_per_second']:,.0f} cycles a second, records compared",
    }
    if report["waves"]:
        lines["waves"] = report["waves"]
    for name, text in lines.items():
        out.print(f"{name:<10} {text}", markup=False)


def _show_record(difference: dict[str, Any], report: dict[str, Any], out: Console) -> None:
    out.print(
        f"twin and RTL differ at cycle {difference['cycle']:,}, in command "
        f"{difference['command']}, after {report['commands']:,} equal commands and "
        f"{difference['call']} equal call{'s' * (difference['call'] != 1)}",
        markup=False,
    )
    rows = []
    for side, name in (("twin", "twin"), ("rtl", "RTL")):
        if (record := difference[side]) is None:
            rows.append((name, *([""] * 5), difference["rtl_stopped"] or "nothing more", ""))
            continue
        rows.append(
            (
                *(name, record["pc"], record["name"]),
                *(f"{record[key]:,}" for key in ("start", "end")),
                *(f"{record['written']:#010x}", record["disassembly"]),
                layer_label(record["layer"]),
            )
        )
    columns = ("", "command", "opcode", "start", "end", "digest", "disassembly", "layer")
    out.print(table(columns, rows, left=["opcode", "disassembly", "layer"]))
    if report["waves"]:
        text = f"{report['waves']}: cycle {difference['cycle']:,} is at "
        out.print(f"{text}{difference['waves_ps']:,} ps", markup=False)
    else:
        out.print("to look at it: the same command with --waves FILE.vcd")


def _show_output(difference: dict[str, Any], report: dict[str, Any], out: Console) -> None:
    sides = [side for side in ("kernels", "twin", "rtl") if side in difference]
    values = ", ".join(
        f"{'RTL' if side == 'rtl' else side} "
        f"{'nothing' if difference[side] is None else difference[side]}"
        for side in sides
    )
    out.print(
        f"call {difference['call']}: element {difference['element']} of {difference['output']} "
        f"differs: {values}; {report['commands']:,} commands of twin and RTL are equal",
        markup=False,
    )
