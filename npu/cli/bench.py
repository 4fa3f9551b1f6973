"""The simulator against its peers, both measured in one run."""

from __future__ import annotations

import hashlib
from typing import Any

import click
from rich.console import Console

from compiler import load_model
from npu.cli._lockstep import MOST_CALLS, Clocked, call, calls_of, session_of
from npu.cli._models import (
    compile_for,
    files_of,
    first_run_notice,
    json_option,
    load_chip,
    machine_of,
)
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.runtime.image import Image

DEFAULT_CHIP = "edge"
DEFAULT_MODEL = "commands_rnnt"
DEFAULT_CALLS = 32
DIFFERENT = 1
LARGE_WORKERS = 2
ENGINES = {"twin": "twin", "rtl": "Verilator"}


@click.group()
def command() -> None:
    """Measure speeds."""


@command.command()
@click.option(
    "--chip",
    metavar="CHIP",
    default=DEFAULT_CHIP,
    show_default=True,
    help="tiny, edge, max or a TOML file with the same keys.",
)
@click.option("--model", metavar="MODEL", default=DEFAULT_MODEL, show_default=True)
@click.option(
    "--calls",
    type=click.IntRange(1, MOST_CALLS - 1),
    default=DEFAULT_CALLS,
    show_default=True,
    metavar="N",
    help="Calls that are measured, after one that is not.",
)
@json_option
def twin(chip: str, model: str, calls: int, json_path: str | None) -> int:
    """Cycles per second of the twin and of the RTL in Verilator, on the same program and inputs.

    Building, compiling, boot and the first call are not measured. Exit status 1 if the two differ
    in any call's outputs or cycles, or in what memory, SRAM and registers hold at the end.
    """
    require_place(json_path, inputs=files_of(model, chip))
    machines = {name: Clocked(machine_of(name)) for name in ENGINES}
    with first_run_notice():
        image = compile_for(load_model(model), load_chip(chip))
        inputs = calls_of(image, None, None, calls + 1)
        with progress("measuring", total=len(ENGINES)) as advance:
            results = {}
            for name, machine in machines.items():
                results[name] = _run(image, inputs, machine)
                advance(1)
    machines["rtl"].machine.close()
    report = _report(image, machines, results)
    emit_json(report, json_path)
    _show(report, console(json_path))
    return 0 if report["equal"] else DIFFERENT


def _run(image: Image, inputs: list[Any], machine: Clocked) -> dict[str, Any]:
    """What an engine answered, and how many cycles each start took."""
    session = session_of(image, machine=machine)
    answers = [call(session, inputs[0])]
    machine.clear()
    answers += [call(session, each) for each in inputs[1:]]
    made = machine.machine
    return {
        "outputs": [[array.tolist() for array in answer] for answer in answers],
        "cycles": [session.boot_cycles, session.reset_cycles, *session.cycles],
        "memory": hashlib.sha256(made.memory.data).hexdigest(),
        "sram": hashlib.sha256(made.sram).hexdigest(),
        "registers": list(made.registers),
    }


def _report(
    image: Image, machines: dict[str, Clocked], results: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    params = image.params
    speeds = {name: machine.report() for name, machine in machines.items()}
    twin, rtl = results["twin"], results["rtl"]
    return {
        "model": image.header.model,
        "chip": {"name": params.name, "lanes": params.lanes, "clock_mhz": params.clock_mhz},
        "calls": len(twin["outputs"]) - 1,
        "equal": twin == rtl,
        "differ": [key for key in twin if twin[key] != rtl[key]],
        **speeds,
        "ratio": speeds["twin"]["cycles_per_second"] / speeds["rtl"]["cycles_per_second"],
    }


def _show(report: dict[str, Any], out: Console) -> None:
    chip, calls = report["chip"], report["calls"]
    rows = [
        (label, f"{s['cycles']:,}", f"{s['seconds']:.3f}", f"{s['cycles_per_second']:,.0f}")
        for label, s in ((label, report[name]) for name, label in ENGINES.items())
    ]
    title = f"{report['model']} on {chip['name']}, {calls} call{'s' * (calls != 1)}"
    out.print(table(("", "cycles", "seconds", "cycles/second"), rows, title=title))
    if report["equal"]:
        verdict = "outputs, cycles, memory, SRAM and registers are equal"
    else:
        verdict = f"THEY DIFFER in {', '.join(report['differ'])}"
    out.print(f"the twin is {report['ratio']:,.0f} times as fast; {verdict}", markup=False)


@command.command()
@click.option("--model", metavar="MODEL", default=DEFAULT_MODEL, show_default=True)
@click.option(
    "--large",
    is_flag=True,
    help="Also compress a model of 45 M parameters, on two threads.",
)
@json_option
def codec(model: str, large: bool, json_path: str | None) -> int:
    """Size and speed of the weight codec beside its peers, on the same matrices.

    The matrices of MODEL, and random ones of many distributions. Everything is counted: codes,
    directories, padding. Rates are those of one thread. Vela and zstd take part where the extra
    `bench` is installed.
    """
    from npu.cli import _codec, _codec_cases, _codec_show

    require_place(json_path, inputs=files_of(model))
    params = load_chip(DEFAULT_CHIP)
    with first_run_notice():
        matrices = _codec_cases.model_cases(load_model(model), params)
        cases = [*matrices, *_codec_cases.synthetic_cases()]
        with progress("measuring", total=len(cases)) as advance:
            report = _codec.report(cases, params, advance)
        if large:
            report["large"] = _codec.large(params, LARGE_WORKERS)
    emit_json(report, json_path)
    _codec_show.show(report, console(json_path))
    return 0
