"""Regenerate `reports/curve.md` and `curve.png` from `curve.json`, which `reports.curve` writes.

python -m reports.curve_page
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from reports.curve import RUN, SEED, CurveReport, PointReport, is_usual, usual_steps, way

PAGE = RUN.with_suffix(".md")
FIGURE = RUN.with_suffix(".png")
_MARKERS = "o^vD*PX<>p"


def page(run: CurveReport) -> str:
    """The page as Markdown."""
    named = {record["set"] for point in run["points"] for record in point["sets"]}
    lines = [
        "# Word errors, zeros, bits, time, energy and area",
        "",
        _about(),
        "",
        "![word errors over bytes](curve.png)",
        "",
    ]
    for name in sorted(named):
        lines += [f"## {name}", "", *_table(_heads(run), _rows(run, name)), ""]
        lines += [*_seeds(run, name), *_methods(run, name), *_code_books(run, name)]
    lines += _smallest(run)
    return "\n".join(lines)


def _about() -> str:
    return (
        "Written by `python -m reports.curve_page` from `curve.json`, which"
        " `python -m reports.curve FOLDER` collected from the runs of `npu train curve -o FOLDER`."
        " Word errors are those of the integer model, with the middle 95 % of the draws of"
        " utterances; cycles, milliseconds and energy those of a frame of 60 ms. Energy is"
        " estimated: what happens in a frame, and what leaks while it does."
    )


def _chips(run: CurveReport) -> list[str]:
    """All that a model was counted on; a large one does not fit a small one."""
    points = sorted(run["points"], key=lambda point: -len(point["chips"]))
    return list(dict.fromkeys(r["chip"] for point in points for r in point["chips"]))


def _heads(run: CurveReport) -> list[str]:
    heads = ["run", "zeros", "bits", "KiB packed", "words wrong", "95 %", "late p50, p95 ms"]
    for chip in _chips(run):
        heads += [f"{chip}: cycles", "ms", "uJ of events", "uJ of leakage"]
    return heads


def _rows(run: CurveReport, name: str) -> Iterator[list[str]]:
    for point in run["points"]:
        for record in point["sets"]:
            if record["set"] == name and record["speech"]:
                yield [*_size(point), *_heard(record), *_costs(point, _chips(run))]


def _size(point: PointReport) -> list[str]:
    zeros, packed = f"{point['zeros']:.1%}", f"{point['bytes'] / 1024:,.1f}"
    return [point["name"], zeros, str(point["bits"]), packed]


def _heard(record: dict[str, Any]) -> list[str]:
    errors, delay = record["speech"]["word_errors"], record["delay"]
    low, high = errors["interval"] or (None, None)
    interval = "" if low is None else f"{low:.2f} - {high:.2f}"
    late = f"{delay['p50_ms']:.0f}, {delay['p95_ms']:.0f}" if delay else ""
    return [f"{errors['percent']:.2f} %", interval, late]


def _costs(point: PointReport, chips: Sequence[str]) -> Iterator[str]:
    there = {record["chip"]: record for record in point["chips"]}
    for chip in chips:
        if chip not in there:
            yield from ("does not fit", "", "", "")
            continue
        record = there[chip]
        energy = record["energy_uj"]
        leakage = energy["leakage"]
        yield f"{record['cycles']['p50']:,.0f}"
        yield f"{record['ms']['p50']:.3f}"
        yield f"{energy['total'] - leakage:.2f}"
        yield f"{leakage:.3f}"


def _seeds(run: CurveReport, name: str) -> list[str]:
    """What a seed changes: of each point that several have."""
    groups: dict[tuple[object, ...], list[PointReport]] = {}
    for point in run["points"]:
        same = (point["predictor"], point["target"], point["bits"], point["pruned"], point["coded"])
        groups.setdefault((*same, point["steps"]), []).append(point)
    rows = []
    for points in groups.values():
        if len(points) > 1:
            found = [_percent(point, name) for point in points]
            spread = f"{min(found):.2f} - {max(found):.2f}"
            rows.append([points[0]["name"], str(len(found)), f"{fmean(found):.2f} %", spread])
    heads = ("run", "seeds", "words wrong, mean", "lowest - highest")
    return ["### Other seeds", "", *_table(heads, iter(rows)), ""] if rows else []


def _methods(run: CurveReport, name: str) -> list[str]:
    """Which weights are zero, side by side: errors, bytes and cycles."""
    points = [each for each in _first(run) if each["bits"] == 8]
    shares = {each["target"] for each in points if each["pruned"] != "magnitude"}
    rows = [
        [
            f"{point['target']:.0%}",
            point["pruned"],
            *_heard(_record(point, name))[:2],
            f"{point['bytes'] / 1024:,.1f}",
            *_cycles(point, _chips(run)),
        ]
        for point in sorted(points, key=lambda each: each["target"])
        if point["target"] in shares and point["predictor"] == "lstm"
    ]
    chips = [f"{chip}: cycles" for chip in _chips(run)]
    heads = ("zeros", "pruned by", "words wrong", "95 %", "KiB packed", *chips)
    return ["### Which weights are zero", "", *_table(heads, iter(rows)), ""] if rows else []


def _cycles(point: PointReport, chips: Sequence[str]) -> list[str]:
    there = {record["chip"]: record["cycles"]["p50"] for record in point["chips"]}
    return [f"{there[chip]:,.0f}" if chip in there else "does not fit" for chip in chips]


def _code_books(run: CurveReport, name: str) -> list[str]:
    """How the values of a code book are learnt, side by side."""
    points = [each for each in _first(run) if each["predictor"] == "lstm"]
    ways = sorted({(each["bits"], each["coded"]) for each in points if each["bits"] < 8})
    several = {bits for bits, _ in ways if sum(each == bits for each, _ in ways) > 1}
    rows = [
        [
            str(point["bits"]),
            point["coded"],
            *_heard(_record(point, name))[:2],
            f"{point['bytes'] / 1024:,.1f}",
        ]
        for point in sorted(points, key=lambda each: (-each["bits"], each["coded"]))
        if point["bits"] in several
    ]
    heads = ("bits", "learnt", "words wrong", "95 %", "KiB packed")
    return ["### How a code book is learnt", "", *_table(heads, iter(rows)), ""] if rows else []


def _first(run: CurveReport) -> list[PointReport]:
    """The points of the first seed."""
    return [point for point in run["points"] if point["seed"] == SEED]


def _record(point: PointReport, name: str) -> dict[str, Any]:
    """What was heard of a set."""
    return next(record for record in point["sets"] if record["set"] == name)


def _percent(point: PointReport, name: str) -> float:
    return float(_record(point, name)["speech"]["word_errors"]["percent"])


def _smallest(run: CurveReport) -> list[str]:
    """The chips that were looked for."""
    if not any(point["smallest"] for point in run["points"]):
        return []
    heads = ("run", "lanes", "banks, KiB", "ms", "mm2", "LUT4", "MHz", "ms there")
    steps = usual_steps(run["points"])
    usual = (_chip(point) for point in run["points"] if is_usual(point, steps))
    return ["## The smallest chips", "", _about_chips(run), "", *_table(heads, usual), ""]


def _about_chips(run: CurveReport) -> str:
    return (
        f"The smallest chip that `npu fit` finds for each model, at {run['clock_mhz']:g} MHz and at"
        f" most {run['deadline_ms']:g} ms a frame; LUTs and clock from place and route on an ECP5"
        " 85k, seed 1, and what a frame takes at that clock."
    )


def _chip(point: PointReport) -> list[str]:
    found = point["smallest"]
    if found is None:
        return [point["name"], "none", *[""] * 6]
    chip = found["chip"]
    placed = [""] * 3
    if found["lut4"] is not None and found["clock_mhz"] is not None:
        there = found["cycles"] / found["clock_mhz"] / 1e3
        placed = [f"{found['lut4']:,}", f"{found['clock_mhz']:.1f}", f"{there:.3f}"]
    banks = f"{chip['bank_bytes'] * chip['lanes'] / 1024:,.0f}"
    figures = [f"{found['ms']:.3f}", f"{found['area_mm2']:.3f}"]
    return [point["name"], str(chip["lanes"]), banks, *figures, *placed]


def _table(heads: Sequence[str], rows: Iterator[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def figure(run: CurveReport, path: Path) -> None:
    """Word errors over packed bytes, with their intervals, on the first set that all have heard: of
    the runs that learnt as long as most, so that none is ahead.
    """
    from matplotlib.figure import Figure

    shared = set.intersection(*({r["set"] for r in point["sets"]} for point in run["points"]))
    name = sorted(shared)[-1]
    drawing = Figure(figsize=(9, 5.5), layout="constrained")
    axes = drawing.subplots()
    steps = usual_steps(run["points"])
    points = [point for point in run["points"] if point["steps"] == steps]
    colours = sorted({(point["predictor"], -point["bits"]) for point in points})
    ways = sorted({way(point) for point in points}, key=lambda each: (each != "", each))
    for point in points:
        errors = _record(point, name)["speech"]["word_errors"]
        x, y = point["bytes"] / 1024, errors["percent"]
        low, high = errors["interval"] or (y, y)
        bars = [[max(0.0, y - low)], [max(0.0, high - y)]]
        colour = f"C{colours.index((point['predictor'], -point['bits']))}"
        marker = _MARKERS[ways.index(way(point)) % len(_MARKERS)]
        axes.errorbar(x, y, yerr=bars, fmt=marker, color=colour, capsize=3)
        if is_usual(point, steps):
            axes.annotate(f" {point['target']:.0%}", (x, y), fontsize=8)
    for number, (predictor, bits) in enumerate(colours):
        axes.plot([], [], "s", color=f"C{number}", label=f"{predictor}, {-bits} bits")
    for number, each in enumerate(ways):
        label = each or "magnitude, straight through"
        axes.plot([], [], _MARKERS[number % len(_MARKERS)], color="0.4", label=label)
    axes.set(xlabel="weights packed, KiB", ylabel="words wrong (%)", yscale="log")
    low, high = axes.get_ylim()
    ticks = [each for each in (5, 7, 10, 15, 20, 30, 40, 60, 80) if low <= each <= high]
    axes.set_yticks(ticks, labels=[f"{each}" for each in ticks])
    axes.minorticks_off()
    axes.set_title(f"{name}; beside each point the zeros")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    drawing.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    recorded = json.loads(RUN.read_text(encoding="utf-8"))
    PAGE.write_text(page(recorded), encoding="utf-8")
    figure(recorded, FIGURE)
