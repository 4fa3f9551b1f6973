"""Area and clock of a chip and its units on an ECP5, from real place and route."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from npu.chip.summary import summary_text
from npu.cli._chips import file_of, load_chip
from npu.cli._options import (
    chip_default_option,
    crossing_option,
    json_option,
    protect_option,
    reset_option,
)
from npu.cli._output import console, emit_json, progress, require_place, say, table
from reports.synth_page import COLUMNS, clocks_text
from rtl.shared.options import Options, Protection, reset_of
from rtl.synth import DEVICES, UNITS, require_tools, synthesise, tool_versions
from rtl.synth.report import SynthReport, synth_report

DEFAULT_CHIP = "tiny"
MAX_PLACES = 100


@click.command()
@chip_default_option(DEFAULT_CHIP)
@click.option(
    "--unit",
    "names",
    type=click.Choice(list(UNITS)),
    multiple=True,
    help="A unit alone; may be repeated. Without it: the whole chip, and every unit alone.",
)
@click.option("--device", type=click.Choice(list(DEVICES)), default="45k", show_default=True)
@click.option(
    "--seed",
    # nextpnr takes 31 bits; the seeds of all places are among them.
    type=click.IntRange(0, (1 << 31) - 1 - MAX_PLACES),
    default=1,
    show_default=True,
    help="Of placement: clocks of different seeds differ by some percent.",
)
@click.option(
    "--places",
    type=click.IntRange(1, MAX_PLACES),
    default=1,
    show_default=True,
    help="Place and route from that many seeds, from --seed on: the clock is their median.",
)
@protect_option
@reset_option
@crossing_option
@json_option
def command(
    chip: str,
    names: tuple[str, ...],
    device: str,
    seed: int,
    places: int,
    protect: Protection,
    reset: str,
    crossing: bool,
    json_path: str | None,
) -> None:
    """Synthesise, place and route the chip for an ECP5: what it takes, and its clock.

    Minutes of a processor for the whole chip and for every further place of it. A unit alone
    stands between registers, so that no pin limits its clock; these registers are not counted.
    """
    require_place(json_path, inputs=[file_of(chip)])
    require_tools()
    params = load_chip(chip)
    units = [name for name in UNITS if name in names] or list(UNITS)
    seeds = range(seed, seed + places)
    options = Options(protection=protect, reset=reset_of(reset), crossing=crossing)
    results = []
    with progress(f"placing and routing {params.name}", total=len(units)) as advance:
        for unit in units:
            say(f"{unit} on an ECP5-{device} ...")
            results.append(synthesise(params, unit, device=device, seeds=seeds, options=options))
            advance(1)
    report = synth_report(params, device, seeds, results, tool_versions(), options)
    emit_json(report, json_path)
    _show(report, console(json_path))


def _show(report: SynthReport, out: Console) -> None:
    device = report["device"]
    out.print(
        f"{summary_text(report['chip'])} on {device['name']} "
        f"({device['package']}, speed grade {device['speed_grade']}),"
        f" {_seeds_text(report['seeds'])}",
        markup=False,
    )
    out.print(table(("unit", *COLUMNS, "MHz"), [_row(result) for result in report["units"]]))
    capacity = report["units"][0]["capacity"]
    out.print(
        f"The device has {capacity['lut4']:,} LUT4, {capacity['flip_flops']:,} flip-flops, "
        f"{capacity['block_rams']} block RAMs, {capacity['multipliers']} multipliers."
    )
    for result in report["units"]:
        path = result["critical_path"]
        out.print(
            f"{result['unit']}: {path['total_ns']:.2f} ns ({path['logic_ns']:.2f} logic, "
            f"{path['routing_ns']:.2f} routing) from {path['source']} to {path['sink']}",
            markup=False,
        )
        if len(result["clocks_mhz"]) > 1:
            clocks = clocks_text(result["clocks_mhz"])
            out.print(f"{result['unit']}: the places' clocks are {clocks} MHz", markup=False)


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    used = [f"{result['utilisation'][name]:,}" for name in COLUMNS.values()]
    return (result["unit"], *used, f"{result['fmax_mhz']:.1f}")


def _seeds_text(seeds: list[int]) -> str:
    """`seed 1`, or `5 seeds from 1 on`."""
    return f"{len(seeds)} seeds from {seeds[0]} on" if len(seeds) > 1 else f"seed {seeds[0]}"
