"""Regenerate `reports/energy.md`: `npu bench energy MODEL... --json reports/energy.json`, then

python -m reports.energy_page

Constants, points and gates come from `npu/chip/technology/`; the area on an FPGA, which was
measured, from `synth.json`.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from npu.analysis.energy import CAUSES, STATES
from npu.analysis.energy_results import ComparisonReport, EnergyReport, ModelEnergy
from npu.chip.summary import summary_text
from npu.chip.technology import CONSTANTS
from npu.chip.technology.constants import Sourced
from npu.chip.technology.logic import MEASURED
from npu.chip.technology.scaling import SCALING
from npu.chip.technology.sram import CHECKS, POINTS, TERMS, Sram, fits
from reports import synth_page

if TYPE_CHECKING:
    from rtl.synth.report import SynthReport

PAGE = Path(__file__).with_name("energy.md")
RUN = Path(__file__).with_name("energy.json")

FORMULAS = {
    "read_pj": "a √C + b W √C + c C",
    "write_pj": "a √C + b W √C + c C",
    "leakage_uw": "a √C + b C",
    "area_um2": "a W + b C",
    "access_ns": "a + b √C",
}


def page(run: EnergyReport, synth: "SynthReport") -> str:
    """The page as Markdown, from the JSON of `npu bench energy` and of `npu synth`."""
    sections = [
        ["# Energy and area", "", _about()],
        ["## Beside what others published", "", *_comparisons(run)],
        ["## Models", "", *_models(run["models"]), *(f"- {each}" for each in run["refused"])],
        ["## Chips", "", *_chips(run)],
        ["## Area", "", *_area(run, synth)],
        ["## Constants", "", *_constants()],
        ["## Memories", "", *_memories()],
        ["## Gates", "", *_gates()],
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _about() -> str:
    return (
        "Written by `python -m reports.energy_page` from `energy.json`, which `npu bench energy"
        " MODEL... --json reports/energy.json` wrote. Energies and the area of silicon are"
        " estimated, from the constants below and what the twin counts; only the FPGA's area is"
        " measured. Front end, pads, clock generation and regulators are left out; external memory"
        " counts by what is moved."
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    marks = "---|" * left + "---:|" * (len(heads) - left)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", f"|{marks}", *lines]


def _comparisons(run: EnergyReport) -> list[str]:
    chips = [chip["name"] for chip in run["chips"]]
    heads = ["published", "task", "our model", "same network", "node, volts", "unit", "theirs"]
    heads += [*chips, *(f"{chip} / theirs" for chip in chips)]
    rows = [_compared(each, chips) for each in run["comparisons"]]
    lines = _table(heads, rows, left=6)
    lines += [
        "",
        (
            "A ratio below 1 says that ours takes less. Ours is brought to the node and the voltage"
            " of the line, at its own clock. What stands in the way, and under which conditions"
            " theirs was measured:"
        ),
        "",
    ]
    said = (
        f"- {each['name']}, {each['task']}: {each['why'] + '; ' if each['why'] else ''}"
        f"{each['conditions']}. {each['source']}."
        for each in run["comparisons"]
    )
    return lines + list(dict.fromkeys(said))


def _compared(each: ComparisonReport, chips: Sequence[str]) -> list[str]:
    def cells(values: dict[str, float]) -> list[str]:
        return [f"{values[chip]:,.2f}" if chip in values else "-" for chip in chips]

    return [
        each["name"],
        each["task"],
        f"`{each['model']}`" if each["model"] else "-",
        "yes" if each["same"] else "no",
        f"{each['node_nm']} nm, {each['voltage']:g} V",
        each["unit"],
        f"{each['published']:,.1f}",
        *cells(each["ours"]),
        *cells(each["ratio"]),
    ]


def _models(models: Sequence[ModelEnergy]) -> list[str]:
    causes = [*CAUSES, *STATES[:1]]
    heads = ["model", "chip", "ms", "uJ a call", *(f"{cause} %" for cause in causes)]
    rows = []
    for model in models:
        energy = model["energy_uj"]
        shares = [f"{100 * energy[cause] / energy['total']:.1f}" for cause in causes]
        row = [f"`{model['model']}`", model["chip"], f"{model['ms']:.4f}"]
        rows.append([*row, f"{energy['total']:,.2f}", *shares])
    lines = [*_table(heads, rows, left=2), ""]
    for model in models:
        if model["always_on_uw"] is not None:
            lines.append(
                f"- `{model['model']}` on {model['chip']}, a call every {model['period_ms']:g} ms,"
                f" waiting between them: {model['always_on_uw']:,.1f} uW on the average."
            )
    return lines


def _chips(run: EnergyReport) -> list[str]:
    lines = [
        f"- {summary_text(chip)}: {chip['node_nm']} nm, {chip['voltage']:g} V, {chip['external']};"
        f" waits in {chip['idle_state']}."
        for chip in run["chips"]
    ]
    names = [chip["name"] for chip in run["chips"]]
    first = run["chips"][0]
    events = (
        [event, *(f"{chip['event_pj'][event]:,.3f}" for chip in run["chips"])]
        for event in first["event_pj"]
    )
    lines += ["", "Picojoules of an event:", "", *_table(["event", *names], events), ""]
    lines += [
        f"Microwatts at {POINTS.temperature_k:g} K while nothing moves, and nanojoules of waking:",
        "",
    ]
    rows = [
        ["leakage of memories", *(f"{chip['memory_leakage_uw']:,.1f}" for chip in run["chips"])],
        ["leakage of logic", *(f"{chip['logic_leakage_uw']:,.1f}" for chip in run["chips"])],
    ]
    rows += [
        [f"in {state}", *(f"{chip['idle_uw'][state]:,.1f}" for chip in run["chips"])]
        for state in first["idle_uw"]
    ]
    rows += [
        [f"waking from {state}, nJ", *(f"{1e3 * c['wake_uj'][state]:,.1f}" for c in run["chips"])]
        for state in first["wake_uj"]
    ]
    return lines + _table(["", *names], rows)


def _area(run: EnergyReport, synth: "SynthReport") -> list[str]:
    chips = run["chips"]
    kinds = list(chips[0]["area"]["memories_mm2"])
    rows = [
        [f"{kind}, mm²", *(f"{chip['area']['memories_mm2'][kind]:.3f}" for chip in chips)]
        for kind in kinds
    ]
    rows += [
        ["logic, mm²", *(f"{chip['area']['logic_mm2']:.3f}" for chip in chips)],
        ["all, mm²", *(f"{chip['area']['total_mm2']:.2f}" for chip in chips)],
        ["gate equivalents", *(f"{chip['area']['gates']:,.0f}" for chip in chips)],
        ["slowest memory, ns", *(f"{chip['area']['access_ns']:.2f}" for chip in chips)],
        ["clock period, ns", *(f"{1e3 / chip['clock_mhz']:.2f}" for chip in chips)],
    ]
    heads = ["**estimated**, silicon", *(f"{c['name']}, {c['node_nm']} nm" for c in chips)]
    (placed,) = (unit for unit in synth["units"] if unit["unit"] == "chip")
    used = placed["utilisation"]
    counts = ", ".join(f"{used[key]:,} {title}" for title, key in synth_page.COLUMNS.items())
    return [
        *_table(heads, rows),
        "",
        (
            f"**Measured**, FPGA: {summary_text(synth['chip'])} on {synth['device']['name']} takes"
            f" {counts}, by place and route at {placed['fmax_mhz']:.1f} MHz ([synth.md](synth.md))."
            " Other chips: `npu synth --chip CHIP`."
        ),
        "",
        (
            "A memory slower than the clock period would have to be cut into smaller ones or made"
            " of faster cells, which leak more."
        ),
    ]


def _told(sourced: Sourced) -> list[str]:
    return [sourced.kind, sourced.source, sourced.conditions, sourced.seen]


def _constants() -> list[str]:
    heads = ["constant", "value", "node, volts", "kind", "source", "conditions", "what was seen"]
    rows = [
        [
            f"`{name}`",
            f"{constant.value:g} {constant.unit}",
            f"{constant.node_nm} nm, {constant.voltage:g} V",
            *_told(constant),
        ]
        for name, constant in CONSTANTS.items()
    ]
    nodes = f"{min(SCALING.energy)} to {max(SCALING.energy)} nm"
    rows.append(["scaling of logic", "equations", nodes, *_told(SCALING)])
    nodes = ", ".join(f"{node} nm at {volts:g} V" for node, volts in POINTS.voltage.items())
    rows.append(["memories", "points", nodes, *_told(POINTS)])
    return _table(heads, rows, left=7)


def _memories() -> list[str]:
    heads = ["node", "figure", "formula", "points", "rms of errors", "model / point"]
    rows = []
    for node in POINTS.node_nm:
        for figure in TERMS:
            found = fits(node)[figure]
            least, most = min(found.residuals), max(found.residuals)
            row = [f"{node} nm", figure, FORMULAS[figure], f"{len(found.residuals)}"]
            rows.append([*row, f"{100 * found.rms:.0f} %", f"{least:.2f} to {most:.2f}"])
    lines = [
        (
            "C is the capacity and W the width of an access, both in bytes; the coefficients of a"
            " node are those that suit its points best (`npu/chip/technology/sram.py`)."
        ),
        "",
        *_table(heads, rows, left=3),
        "",
        "Beside memories that others published:",
        "",
    ]
    checks = []
    for each in CHECKS:
        ours = Sram(each.node_nm, each.voltage).read_pj(each.bytes, each.width_bytes)
        size = f"{each.bytes:,} bytes, {each.width_bytes:g} read"
        figures = [f"{each.read_pj:g}", f"{ours:.1f}", f"{ours / each.read_pj:.2f}"]
        checks.append([size, f"{each.node_nm} nm, {each.voltage:g} V", *figures, *_told(each)[1:]])
    heads = ["memory", "node, volts", "theirs, pJ", "model, pJ", "ratio"]
    return lines + _table([*heads, "source", "conditions", "what was seen"], checks, left=2)


def _gates() -> list[str]:
    chips = MEASURED["chips"]
    units = list(next(iter(chips.values()))["units"])
    tools = ", ".join(f"{name} {version}" for name, version in MEASURED["tools"].items())
    rows = [[unit, *(f"{chip['units'][unit]:,}" for chip in chips.values())] for unit in units]
    return [
        (
            f"Gate equivalents, found by {tools}: {MEASURED['conditions']}. `matvec` contains"
            " the lanes, with their decoders, and the requantiser. Other chips lie on the line"
            " through these."
        ),
        "",
        *_table(["unit", *chips], rows),
    ]


if __name__ == "__main__":
    told = json.loads(synth_page.RUN.read_text(encoding="utf-8"))
    PAGE.write_text(page(json.loads(RUN.read_text(encoding="utf-8")), told), encoding="utf-8")
