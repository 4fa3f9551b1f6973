"""The record of a run of `python -m tests.coverage`, and what is wrong with it."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TypedDict

from tests.coverage import functional, toggles
from tests.coverage.arguments import BINS, CODE, Argument, bin_text, code_holes, stale, unargued
from tests.coverage.bins import every_bin
from tests.coverage.points import KINDS, Figure, Point, figures, total

LINES_PERCENT = 98.0
"""The bar of lines."""
UNITS = (
    "zeroskip",
    "control",
    "sequencer",
    "dma",
    "matvec",
    "vector",
    "sram",
    "param",
    "program",
)


class Hole(TypedDict):
    """Something that was not hit, with its argument, which is empty if there is none."""

    place: str
    reason: str


class CoverageReport(TypedDict):
    """A run. Pairs are (hit, of)."""

    chip: str
    units: dict[str, dict[str, tuple[int, int]]]
    modules: dict[str, dict[str, tuple[int, int]]]
    total: dict[str, tuple[int, int]]
    holes: list[Hole]
    toggles: dict[str, int]
    bins_chip: str
    bins: dict[str, dict[str, int]]
    bin_arguments: list[Hole]
    programs: int


def unit_of(module: str) -> str:
    """The unit that a module of the Verilog belongs to: the first word behind the chip's name."""
    first = module.removeprefix("zeroskip").strip("_").partition("_")[0]
    return first if first in UNITS else "zeroskip"


def _pairs(parts: Mapping[str, Figure]) -> dict[str, tuple[int, int]]:
    return {kind: (figure.hit, figure.of) for kind, figure in parts.items()}


def _reason(place: str, arguments: Collection[Argument]) -> str:
    return next((each.reason for each in arguments if each.fits(place)), "")


def report(
    chip: str, points: Mapping[Point, int], verilog: str, hit: Collection[str], programs: int
) -> CoverageReport:
    """The record, of Verilator's points and of the bins that were hit."""
    modules = figures(points)
    units: dict[str, list[Mapping[str, Figure]]] = defaultdict(list)
    for module, parts in modules.items():
        units[unit_of(module)].append(parts)
    places = sorted(set(code_holes(points, verilog)))
    missing = [text for text in map(bin_text, every_bin()) if text not in hit]
    return {
        "chip": chip,
        "units": {unit: _pairs(total(units[unit])) for unit in UNITS if unit in units},
        "modules": {module: _pairs(parts) for module, parts in modules.items()},
        "total": _pairs(total(modules.values())),
        "holes": [{"place": place, "reason": _reason(place, CODE)} for place in places],
        "toggles": dict(toggles.classes(points).most_common()),
        "bins_chip": functional.CHIP,
        "bins": functional.figures(hit),
        "bin_arguments": [
            {"place": each.place, "reason": each.reason}
            for each in BINS
            if any(each.fits(text) for text in missing)
        ],
        "programs": programs,
    }


def problems(points: Mapping[Point, int], verilog: str, hit: Collection[str]) -> list[str]:
    """What a run fails for, a line each: too few lines, holes without argument, stale arguments."""
    lines = total(figures(points).values())["line"]
    holes = code_holes(points, verilog)
    found = [f"hole without an argument: {place}" for place in unargued(holes, CODE)]
    found += [f"argument for no hole: {place}" for place in stale(holes, CODE)]
    if lines.percent < LINES_PERCENT:
        found.append(f"{lines.percent:.2f} % of the lines ran, {LINES_PERCENT} % shall")
    return found + functional.problems(hit)


def table(record: CoverageReport) -> str:
    """The figures, as text."""
    rows = [["unit", *KINDS]]
    for unit, parts in (record["units"] | {"all": record["total"]}).items():
        rows.append([unit, *(shown(*parts[kind]) for kind in KINDS)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    for kind, counts in record["bins"].items():
        lines.append(f"bins {kind}: {counts['hit']} hit, {counts['argued']} argued, {counts['of']}")
    return "\n".join([*lines, f"{record['programs']} programs ran for the bins"])


def shown(hit: int, of: int) -> str:
    """A figure as text."""
    return f"{Figure(hit, of).percent:.2f} % ({hit:,} of {of:,})" if of else "-"
