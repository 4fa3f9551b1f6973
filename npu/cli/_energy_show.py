"""The bench of energy on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from npu.analysis.energy import largest
from npu.analysis.energy_results import ChipEnergy, ComparisonReport, EnergyReport, ModelEnergy
from npu.chip.summary import summary_text
from npu.cli._output import table

LARGEST = 4


def show(report: EnergyReport, out: Console) -> None:
    """Print the report."""
    out.print(
        table(
            (
                "chip",
                "node",
                "volts",
                "leaks uW",
                "waits uW",
                "wakes nJ",
                "area mm2",
                "memories",
                "logic",
            ),
            [_chip(chip) for chip in report["chips"]],
            title="chips: estimates",
            left=["node"],
        )
    )
    out.print(
        table(
            ("model", "chip", "ms a call", "uJ a call", "most of it", "every ms", "always on uW"),
            [_model(model) for model in report["models"]],
            title="models: estimates, a call and then off",
            left=["chip", "most of it"],
        )
    )
    chips = [chip["name"] for chip in report["chips"]]
    heads = ["published", "task", "", "theirs", *chips, *(f"{chip} / theirs" for chip in chips)]
    shown = [each for each in report["comparisons"] if each["ours"]]
    out.print(
        table(
            heads,
            [_compared(each, chips) for each in shown],
            title="beside what others published: ours at their node and voltage",
            left=["task", ""],
        )
    )
    for note in [*notes(report["comparisons"]), *report["refused"]]:
        out.print(note, markup=False)


def notes(comparisons: Sequence[ComparisonReport]) -> list[str]:
    """What stands in the way of a comparison, each once, and what was not run."""
    ran = [each for each in comparisons if each["ours"] or not each["model"]]
    said = [f"{each['name']}: {each['why']}" for each in ran if each["why"]]
    missing = dict.fromkeys(each["model"] for each in comparisons if each not in ran)
    if missing:
        said.append(f"others were measured with: {', '.join(missing)}; give them as MODEL")
    return list(dict.fromkeys(said))


def _chip(chip: ChipEnergy) -> tuple[str, ...]:
    area, state = chip["area"], chip["idle_state"]
    leaks = chip["memory_leakage_uw"] + chip["logic_leakage_uw"]
    return (
        summary_text(chip),
        f"{chip['node_nm']} nm",
        f"{chip['voltage']:g}",
        f"{leaks:,.1f}",
        f"{chip['idle_uw'][state]:,.1f} ({state})",
        f"{1e3 * chip['wake_uj'][state]:,.1f}",
        f"{area['total_mm2']:.2f}",
        f"{sum(area['memories_mm2'].values()):.2f}",
        f"{area['logic_mm2']:.2f}",
    )


def _model(model: ModelEnergy) -> tuple[str, ...]:
    energy, power = model["energy_uj"], model["always_on_uw"]
    most = ", ".join(
        f"{cause} {value / energy['total']:.0%}" for cause, value in largest(energy, LARGEST)
    )
    return (
        model["model"],
        model["chip"],
        f"{model['ms']:.4f}",
        f"{energy['total']:,.2f}",
        most,
        "" if model["period_ms"] is None else f"{model['period_ms']:g}",
        "" if power is None else f"{power:,.1f}",
    )


def _compared(each: ComparisonReport, chips: Sequence[str]) -> list[str]:
    def cell(values: dict[str, float], chip: str) -> str:
        return f"{values[chip]:,.2f}" if chip in values else "-"

    return [
        each["name"],
        each["task"],
        each["unit"] + ("" if each["same"] else " (another network)"),
        f"{each['published']:,.1f}",
        *(cell(each["ours"], chip) for chip in chips),
        *(cell(each["ratio"], chip) for chip in chips),
    ]
