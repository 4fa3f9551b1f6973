"""Area and clock of a chip and its units on an ECP5, from real place and route."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from rich.console import Console

from npu.chip.params import ChipParams, load_params
from npu.cli._output import console, emit_json, progress, require_place, say, table
from rtl.synth import (
    CHIP,
    DEVICES,
    SPEED_GRADE,
    UNITS,
    Result,
    require_tools,
    synthesise,
    tool_versions,
)

DEFAULT_CHIP = "tiny"


@click.command()
@click.option(
    "--chip",
    metavar="CHIP",
    default=DEFAULT_CHIP,
    show_default=True,
    help="tiny, edge, max or a TOML file with the same keys.",
)
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
    # What nextpnr takes.
    type=click.IntRange(0, (1 << 31) - 1),
    default=1,
    show_default=True,
    help="Of placement: clocks of different seeds differ by some percent.",
)
@click.option("--json", "json_path", metavar="FILE", help="Write the report as JSON; - is stdout.")
def command(
    chip: str, names: tuple[str, ...], device: str, seed: int, json_path: str | None
) -> None:
    """Synthesise, place and route the chip for an ECP5: what it takes, and its clock.

    A few minutes for the whole chip. A unit alone stands between registers, so that no pin limits
    its clock; these registers are not counted.
    """
    require_place(json_path, inputs=[chip])
    require_tools()
    params = load_params(chip)
    units = [name for name in UNITS if name in names] or list(UNITS)
    results = []
    with progress(f"placing and routing {params.name}", total=len(units)) as advance:
        for unit in units:
            say(f"{unit} on an ECP5-{device} ...")
            results.append(synthesise(params, unit, device=device, seed=seed))
            advance(1)
    report = _report(params, device, seed, results)
    emit_json(report, json_path)
    _show(report, console(json_path))


def _report(params: ChipParams, device: str, seed: int, results: list[Result]) -> dict[str, Any]:
    lut4 = {result.unit: result.utilisation.lut4 for result in results}
    return {
        "chip": {
            "name": params.name,
            "lanes": params.lanes,
            "threads": params.threads,
            "clock_mhz": params.clock_mhz,
        },
        "device": {"size": device, **asdict(DEVICES[device]), "speed_grade": SPEED_GRADE},
        "seed": seed,
        "tools": tool_versions(),
        "lut4_per_lane": {
            "lane": lut4.get("lane"),
            "chip": lut4[CHIP] / params.lanes if CHIP in lut4 else None,
        },
        "units": [
            {**asdict(result), "critical_path": result.critical_path.to_dict()}
            for result in results
        ],
    }


def _show(report: dict[str, Any], out: Console) -> None:
    chip, device = report["chip"], report["device"]
    out.print(
        f"{chip['name']} ({chip['lanes']} lanes, {chip['threads']} threads) on {device['name']} "
        f"({device['package']}, speed grade {device['speed_grade']}), seed {report['seed']}",
        markup=False,
    )
    out.print(
        table(
            (
                "unit",
                "LUT4",
                "logic",
                "carry",
                "RAM",
                "flip-flops",
                "block RAMs",
                "multipliers",
                "MHz",
            ),
            [_row(result) for result in report["units"]],
        )
    )
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


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    used = result["utilisation"]
    names = (
        *("lut4", "logic_luts", "carry_luts", "ram_luts"),
        *("flip_flops", "block_rams", "multipliers"),
    )
    return (result["unit"], *(f"{used[name]:,}" for name in names), f"{result['fmax_mhz']:.1f}")
