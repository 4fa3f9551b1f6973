"""Regenerate `reports/synth.md` from a run: `npu synth --json reports/synth.json`, then this.

With what `npu verify --netlist --json reports/netlist.json` said of the chip after synthesis. Run
as `python -m reports.synth_page`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from npu.chip.summary import summary_text
from reports import synth_history

if TYPE_CHECKING:
    from npu.analysis.results import VerifyReport
    from rtl.synth.report import PerLane, SynthReport

PAGE = Path(__file__).with_name("synth.md")
RUN = Path(__file__).with_name("synth.json")
NETLIST = Path(__file__).with_name("netlist.json")

COLUMNS = {
    "LUT4": "lut4",
    "logic": "logic_luts",
    "carry": "carry_luts",
    "RAM": "ram_luts",
    "flip-flops": "flip_flops",
    "block RAMs": "block_rams",
    "multipliers": "multipliers",
}
"""Titles, and the keys of a unit's utilisation."""


def page(run: "SynthReport", history: list[synth_history.Then], netlist: "VerifyReport") -> str:
    """The page as Markdown: `npu synth`, what was recorded before, `npu verify --netlist`."""
    name, device = run["chip"]["name"], run["device"]
    tools = ", ".join(f"{name} {version}" for name, version in run["tools"].items())
    lines = [
        "# Area and clock",
        "",
        (
            "Written by `python -m reports.synth_page` from `synth.json`, which"
            f" `npu synth --chip {name} --device {device['size']} --json reports/synth.json` wrote,"
            " with as many `--places` as a unit has clocks."
        ),
        "",
        (
            f"Chip {summary_text(run['chip'])}. Device"
            f" {device['name']}, {device['package']}, speed grade {device['speed_grade']},"
            f" placed and routed from up to five seeds from {run['seeds'][0]} on ({tools}); MHz is"
            " the median of the places, and everything else that of its place. A unit alone stands"
            " between registers, which are not counted; the chip contains all units, and is"
            " optimised as a whole. LUT4 counts logic, carry chains and distributed RAM."
        ),
        "",
        "| unit | " + " | ".join(COLUMNS) + " | MHz | of the places |",
        "|---|" + "---:|" * (len(COLUMNS) + 2),
    ]
    for result in run["units"]:
        used = result["utilisation"]
        cells = [f"{used[key]:,}" for key in COLUMNS.values()]
        cells += [f"{result['fmax_mhz']:.1f}", clocks_text(result["clocks_mhz"])]
        lines.append(f"| {result['unit']} | {' | '.join(cells)} |")
    capacity = run["units"][0]["capacity"]
    lines += [
        "",
        (
            f"The device has {capacity['lut4']:,} LUT4, {capacity['flip_flops']:,} flip-flops,"
            f" {capacity['block_rams']} block RAMs and {capacity['multipliers']} multipliers."
        ),
        *_per_lane(run["lut4_per_lane"]),
        "",
        "## Critical paths",
        "",
        (
            "The slowest path of each from register to register; names are those of wires in the"
            " Verilog."
        ),
        "",
        "| unit | ns | logic | routing | from | to |",
        "|---|---:|---:|---:|---|---|",
    ]
    for result in run["units"]:
        path = result["critical_path"]
        lines.append(
            f"| {result['unit']} | {path['total_ns']:.2f} | {path['logic_ns']:.2f} |"
            f" {path['routing_ns']:.2f} | `{path['source']}` | `{path['sink']}` |"
        )
    lines += [
        "",
        "## Over time",
        "",
        (
            "LUT4 / MHz of each unit as they were recorded (`python -m reports.synth_history`);"
            " clocks are medians of one to five places, whose spread is some percent."
        ),
        "",
        *synth_history.table(history),
    ]
    return "\n".join([*lines, *_after_synthesis(netlist)]) + "\n"


def _after_synthesis(report: "VerifyReport") -> list[str]:
    """What was simulated of the cells, and how many there are."""
    cells = report["cells"] or {}
    result = "equal" if report["equal"] else "NOT equal"
    return [
        "",
        "## After synthesis",
        "",
        (
            f"`npu verify {report['model']} --netlist --calls {report['calls']} --json"
            f" reports/netlist.json`: the exported chip {report['chip']['name']}, its debug port in"
            " it, as Yosys maps it and before it is placed, in Verilator beside the twin:"
            f" {' and '.join(report['engines'])} are {result} in {report['commands']:,} commands,"
            f" {report['rtl']['cycles']:,} cycles and every output. A carry cell is two LUT4, a"
            " distributed RAM six."
        ),
        "",
        f"| {' | '.join(cells)} |",
        f"|{'---:|' * len(cells)}",
        f"| {' | '.join(f'{count:,}' for count in cells.values())} |",
    ]


def clocks_text(clocks_mhz: Mapping[str, float]) -> str:
    """The clocks of all places, from the slowest on."""
    return ", ".join(f"{clock:.1f}" for clock in sorted(clocks_mhz.values()))


def _per_lane(lut4: "PerLane") -> list[str]:
    if lut4["lane"] is None:
        return []
    text = f"A lane with all that is in it takes {lut4['lane']:,.0f} LUT4"
    if lut4["chip"] is not None:
        text += f"; the whole chip, divided by its lanes, {lut4['chip']:,.0f}"
    return [f"{text}."]


if __name__ == "__main__":
    told, cells = (json.loads(path.read_text(encoding="utf-8")) for path in (RUN, NETLIST))
    PAGE.write_text(page(told, synth_history.read(), cells), encoding="utf-8")
