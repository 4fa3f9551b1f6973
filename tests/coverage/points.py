"""Verilator's coverage file: its points, and figures of lines, branches and toggles by module.

A point of the file is a line `C '<keys>' <count>`; keys are pairs behind 0x01, with 0x02 between
name and value. The same point of several instances of a module counts as one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

KINDS = ("line", "branch", "toggle")


@dataclass(frozen=True, order=True)
class Point:
    """Something that a run can hit.

    Attributes
    ----------
    module : of the Verilog.
    kind : of KINDS.
    line, column : where it stands, from 1 on.
    what : "if", "else", "block" and such; of a toggle the bit and its direction.
    lines : that run when it is hit; of a toggle none.
    """

    module: str
    kind: str
    line: int
    column: int
    what: str
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    """How much of something was hit."""

    hit: int
    of: int

    @property
    def percent(self) -> float:
        """0 to 100; 100 where there is nothing to hit."""
        return 100 * self.hit / self.of if self.of else 100.0


def parse(text: str) -> Counter[Point]:
    """The points of a coverage file, with their counts. Raises ValueError for another text."""
    first, *lines = text.splitlines()
    if not first.startswith("# SystemC::Coverage-"):
        raise ValueError(f"not a coverage file of Verilator, it begins with {first[:40]!r}")
    found: Counter[Point] = Counter()
    for line in lines:
        keys, _, count = line.removeprefix("C '").rpartition("' ")
        pairs = dict(pair.split("\2", 1) for pair in keys.split("\1")[1:])
        kind, module = pairs["page"].removeprefix("v_").split("/")
        point = Point(
            module,
            kind,
            int(pairs["l"]),
            int(pairs["n"]),
            pairs["o"],
            _lines(pairs.get("S", "")),
        )
        found[point] += int(count)
    return found


def _lines(text: str) -> tuple[int, ...]:
    """Lines of a list such as "3,5-7"."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def read(paths: Iterable[Path]) -> Counter[Point]:
    """The sum of several files of one Verilog text."""
    total: Counter[Point] = Counter()
    for path in paths:
        # Not `+`, which drops what is zero.
        total.update(parse(path.read_text(encoding="utf-8")))
    return total


def line_counts(points: Mapping[Point, int]) -> dict[tuple[str, int], int]:
    """How often a line ran, by (module, line): the most of the points that it belongs to.

    A line of several branches has run when one of them has; the others are holes of branches.
    """
    found: dict[tuple[str, int], int] = defaultdict(int)
    for point, count in points.items():
        for line in point.lines:
            found[point.module, line] = max(found[point.module, line], count)
    return dict(found)


def figures(points: Mapping[Point, int]) -> dict[str, dict[str, Figure]]:
    """Of every module, by its name, a figure of each of KINDS."""
    hits: dict[str, dict[str, list[bool]]] = defaultdict(lambda: {kind: [] for kind in KINDS})
    for (module, _), count in line_counts(points).items():
        hits[module]["line"].append(count > 0)
    for point, count in points.items():
        if point.kind != "line":
            hits[point.module][point.kind].append(count > 0)
    return {
        module: {kind: Figure(sum(each), len(each)) for kind, each in kinds.items()}
        for module, kinds in sorted(hits.items())
    }


def total(parts: Iterable[Mapping[str, Figure]]) -> dict[str, Figure]:
    """The sum of figures of the same kinds."""
    found = {kind: Figure(0, 0) for kind in KINDS}
    for part in parts:
        for kind, figure in part.items():
            found[kind] = Figure(found[kind].hit + figure.hit, found[kind].of + figure.of)
    return found
