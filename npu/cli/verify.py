"""Kernels, twin and RTL side by side: every command's record, every output.

With --netlist the chip after synthesis stands in the place of the RTL. Stops at the first
difference. A record is a command's index, opcode, first and last cycle, and a
digest of what it wrote.
"""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from compiler import Model, load_model
from compiler.reference import Reference
from npu.analysis.layers import layer_label
from npu.analysis.results import VerifyReport
from npu.analysis.sides import Machines, Sides
from npu.chip.summary import summary_text
from npu.cli._models import (
    cells_of,
    compile_for,
    files_of,
    first_run_notice,
    is_image,
    load_chip,
    machine_of,
    open_image,
)
from npu.cli._options import (
    chip_or_image_option,
    clock_gating_option,
    json_option,
    max_cycles_option,
    model_argument,
    protect_option,
    signature_option,
)
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.cli._waves import wave_files, waves_text
from npu.runtime.calls import MOST_CALLS, calls_of
from npu.runtime.image import Image
from rtl.shared.options import Options, Protection

DEFAULT_CHIP = "tiny"
DIFFERENT = 1


@click.command()
@model_argument
@chip_or_image_option(DEFAULT_CHIP)
@click.option("--input", "input_path", metavar="IN.npz", help="Inputs, as npu run takes them.")
@click.option("--audio", metavar="FILE", help="Sound for a transducer.")
@click.option("--calls", type=click.IntRange(1, MOST_CALLS), metavar="N", help="Only the first N.")
@click.option("--waves", metavar="FILE.vcd", help="Write the RTL's waveforms; slow, and large.")
@click.option(
    "--twin-waves",
    metavar="FILE.vcd",
    help="Write the twin's waveforms, and compare them with the RTL's, of which only the same "
    "signals are written then.",
)
@click.option(
    "--driver",
    type=click.Choice(["python", "c"]),
    default="python",
    show_default=True,
    help="What works the RTL: the reference driver, or that for bare metal in C.",
)
@click.option(
    "--netlist",
    is_flag=True,
    help="Simulate the chip after synthesis, made of an ECP5's cells, in the place of the RTL; "
    "minutes to make, once.",
)
@signature_option
@max_cycles_option
@protect_option
@clock_gating_option
@json_option
def command(
    model: str,
    chip: str | None,
    input_path: str | None,
    audio: str | None,
    calls: int | None,
    waves: str | None,
    twin_waves: str | None,
    driver: str,
    netlist: bool,
    signature: str | None,
    max_cycles: int | None,
    protect: Protection,
    clock_gating: bool,
    json_path: str | None,
) -> int:
    """Run MODEL on kernels, twin and RTL, and compare every command and every output.

    Without --input or --audio on random inputs, the same ones each time. The chip is tiny unless
    said otherwise. Exit status 1 if anything differs.
    """
    if input_path is not None and audio is not None:
        raise click.UsageError("--input and --audio cannot be given together")
    if netlist and (waves is not None or twin_waves is not None):
        raise click.UsageError(
            "--netlist has hardly a signal of the RTL: leave --waves and --twin-waves out"
        )
    if netlist and driver != "python":
        raise click.UsageError("--netlist has the reference driver: leave --driver out")
    if netlist and (protect != "none" or clock_gating):
        raise click.UsageError(
            "--netlist is that of the plain chip: leave --protect and --clock-gating out"
        )
    require_place(waves, twin_waves, json_path, inputs=files_of(model, input_path, audio, chip))
    with wave_files(waves, twin_waves) as files:
        options = Options(protection=protect, clock_gating=clock_gating)
        rtl = machine_of("netlist" if netlist else "rtl", files.rtl, driver, options)
        loaded, image = _open(model, chip, signature)
        cells = cells_of(image.params) if netlist else None
        machines = files.watched(Machines(machine_of("twin"), rtl, cells), image.params)
        with first_run_notice():
            inputs = calls_of(image, input_path, audio, calls)
            reference = {} if loaded is None else {"kernels": Reference(loaded)}
            sides = Sides(image, machines, reference, max_cycles)
            with progress("verifying", total=len(inputs)) as advance:
                sides.run(inputs, advance)
        with progress("comparing waveforms"):
            report = sides.report(waves, files.compared())
    emit_json(report, json_path)
    _show(report, console(json_path))
    return 0 if report["equal"] else DIFFERENT


def _open(model: str, chip: str | None, signature: str | None) -> tuple[Model | None, Image]:
    """The model, None of an image, and the image."""
    if is_image(model):
        return None, open_image(model, chip, signature)
    params = load_chip(DEFAULT_CHIP if chip is None else chip)
    loaded = load_model(model, signature)
    return loaded, compile_for(loaded, params)


def _show(report: VerifyReport, out: Console) -> None:
    difference = report["difference"]
    if difference is not None:
        (_show_record if difference["kind"] == "record" else _show_output)(difference, report, out)
        return
    outputs = ", ".join(f"{count:,} of {name}" for name, count in report["outputs"].items())
    engines = " = ".join("RTL" if name == "rtl" else name for name in report["engines"])
    rtl = _hardware(report)
    out.print(f"{report['model']} on {summary_text(report['chip'])}: {engines}", markup=False)
    lines = {
        "commands": f"{report['commands']:,} compared, twin with {rtl}: index, opcode, first and "
        "last cycle, digest of what it wrote",
        "outputs": f"{outputs}, {' with '.join([*report['engines'][:1], f'twin and {rtl}'])}"
        if "kernels" in report["engines"]
        else f"{outputs}, twin with {rtl} (an image holds nothing for the kernels)",
        "cycles": f"{report['rtl']['cycles']:,} in boot, reset and {report['calls']} "
        f"call{'s' * (report['calls'] != 1)}",
        "speed": f"twin {report['twin']['cycles_per_second']:,.0f}, "
        f"{rtl} {report['rtl']['cycles_per_second']:,.0f} cycles a second, records compared",
    }
    if report["cells"] is not None:
        lines["cells"] = ", ".join(f"{n:,} {kind}" for kind, n in report["cells"].items())
    if report["clocked"] is not None:
        shares = (f"{name} {share:.1%}" for name, share in report["clocked"].items())
        lines["clocks"] = f"on in {', '.join(shares)} of these cycles"
    if report["twin_waves"] is not None:
        lines["waves"] = waves_text(report["twin_waves"])
    elif report["waves"]:
        lines["waves"] = report["waves"]
    for name, text in lines.items():
        out.print(f"{name:<10} {text}", markup=False)


def _hardware(report: VerifyReport) -> str:
    """What was simulated beside the twin, in words."""
    return "RTL" if report["cells"] is None else "netlist"


def _show_record(difference: dict[str, Any], report: VerifyReport, out: Console) -> None:
    out.print(
        f"twin and {_hardware(report)} differ at cycle {difference['cycle']:,}, in command "
        f"{difference['command']}, after {report['commands']:,} equal commands and "
        f"{difference['call']} equal call{'s' * (difference['call'] != 1)}",
        markup=False,
    )
    rows = []
    for side, name in (("twin", "twin"), ("rtl", _hardware(report))):
        if (record := difference[side]) is None:
            rows.append((name, *([""] * 5), difference["rtl_stopped"] or "nothing more", ""))
            continue
        rows.append(
            (
                name,
                record["pc"],
                record["name"],
                f"{record['start']:,}",
                f"{record['end']:,}",
                f"{record['written']:#010x}",
                record["disassembly"],
                layer_label(record["layer"]),
            )
        )
    columns = ("", "command", "opcode", "start", "end", "digest", "disassembly", "layer")
    out.print(table(columns, rows, left=["opcode", "disassembly", "layer"]))
    if report["waves"]:
        text = f"{report['waves']}: cycle {difference['cycle']:,} is at "
        out.print(f"{text}{difference['waves_ps']:,} ps", markup=False)
    if report["twin_waves"] is not None:
        out.print(waves_text(report["twin_waves"]), markup=False)
    elif report["cells"] is None:
        out.print("to look at it: the same command with --waves FILE.vcd --twin-waves FILE.vcd")


def _show_output(difference: dict[str, Any], report: VerifyReport, out: Console) -> None:
    sides = [side for side in ("kernels", "twin", "rtl") if side in difference]
    values = ", ".join(
        f"{_hardware(report) if side == 'rtl' else side} "
        f"{'nothing' if difference[side] is None else difference[side]}"
        for side in sides
    )
    out.print(
        f"call {difference['call']}: element {difference['element']} of {difference['output']} "
        f"differs: {values}; {report['commands']:,} commands of twin and {_hardware(report)} are "
        "equal",
        markup=False,
    )
