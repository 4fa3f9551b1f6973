"""A picture of a sweep: memory of the chip against latency, and the points that no other one beats.

Text and colours take the reader's: an SVG names them as CSS variables, with values for light and
dark pages, so that one file serves both.
"""

import io
import re
from collections.abc import Sequence
from typing import Any

from npu.sweep.front import Row, front, weights_name, worked

INK, FAINT = "#010203", "#040506"
"""Stand-ins that matplotlib writes, for text and for lines behind the points."""

SERIES = (
    ("#0a0101", "#1f6fb4", "#6db3ee"),
    ("#0a0102", "#c2571a", "#f0945a"),
    ("#0a0103", "#2b8a3e", "#69c97c"),
    ("#0a0104", "#a8328c", "#e07fc8"),
    ("#0a0105", "#6b5bd2", "#a99df2"),
    ("#0a0106", "#8a6d00", "#d8b63a"),
    ("#0a0107", "#00808a", "#4fc3cd"),
    ("#0a0108", "#b3263a", "#f07b8b"),
)
"""Stand-in, colour on light, colour on dark; further ones begin again with another marker."""

MARKERS = "osD^vP*X"
WIDE_INCHES, NARROW_INCHES = (9.0, 5.0), (4.6, 4.4)
KIB = 1024
LABELLED = 4
"""Most series whose points say how many lanes they have; beyond, the table does."""

_LIGHT = {INK: "#1c1f23", FAINT: "#c9ced4"} | {stand_in: light for stand_in, light, _ in SERIES}
_DARK = {INK: "#e6e8ea", FAINT: "#4a5058"} | {stand_in: dark for stand_in, _, dark in SERIES}


def style() -> str:
    """CSS: the values of the picture's variables, on light and on dark."""

    def values(of: dict[str, str]) -> str:
        return "".join(f"{_variable(stand_in)}:{colour};" for stand_in, colour in of.items())

    return (
        f":root{{color-scheme:light dark;{values(_LIGHT)}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{values(_DARK)}}}}}"
    )


def svg(rows: Sequence[Row], inches: tuple[float, float] = WIDE_INCHES) -> str:
    """The picture, a file of its own."""
    text = picture(rows, inches)
    return re.sub(r"(<svg [^>]*>)", rf"\1<style>{style()}</style>", text, count=1)


def picture(rows: Sequence[Row], inches: tuple[float, float]) -> str:
    """The picture as an SVG element, its colours the variables of `style`."""
    import matplotlib
    from matplotlib.figure import Figure

    good = worked(rows)
    best = {id(row) for row in front(good)}
    options: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": f"sweep {inches}",
        "font.size": 10.0,
        "font.family": "sans-serif",
        **{key: INK for key in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")},
        "axes.edgecolor": FAINT,
        "grid.color": FAINT,
    }
    with matplotlib.rc_context(options):
        figure = Figure(figsize=inches, layout="constrained")
        axes = figure.add_subplot()
        series = _series(good)
        for number, (name, those) in enumerate(series.items()):
            line = _draw(axes, number, name, those, best)
            if len(series) <= LABELLED:
                _label(axes, number, line)
        axes.set_xlabel("memory on the chip, KiB")
        axes.set_ylabel("latency of a frame, ms")
        for axis, name in ((axes.xaxis, "on_chip_bytes"), (axes.yaxis, "latency_ms")):
            _scale(axis, [row[name] for row in good])
        axes.grid(linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        if good:
            columns = 1 if inches[0] < WIDE_INCHES[0] else 3
            figure.legend(loc="outside upper left", ncols=columns, frameon=False, fontsize=9)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    text = written.getvalue()
    for stand_in in _LIGHT:
        text = text.replace(stand_in, f"var({_variable(stand_in)})")
    return text[text.index("<svg") :]


def _variable(stand_in: str) -> str:
    return f"--c{stand_in[1:]}"


def _series(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by model and by what was done to its weights."""
    models = {row["model"] for row in rows}
    found: dict[str, list[Row]] = {}
    for row in rows:
        what = weights_name(row)
        name = what if len(models) == 1 else f"{row['model']}, {what}"
        found.setdefault(name, []).append(row)
    return found


def _draw(axes: Any, number: int, name: str, rows: Sequence[Row], best: set[int]) -> list[Row]:
    """One series; returns the points on its line."""
    colour = SERIES[number % len(SERIES)][0]
    marker = MARKERS[number // len(SERIES) % len(MARKERS)]
    others = [row for row in rows if id(row) not in best]
    axes.scatter(*_places(others), s=9, marker=marker, color=colour, alpha=0.35, linewidths=0)
    chosen = sorted((row for row in rows if id(row) in best), key=lambda row: row["on_chip_bytes"])
    # Of those that differ in energy alone, the line shows the fastest.
    line: list[Row] = []
    for row in chosen:
        if not line or row["latency_ms"] < line[-1]["latency_ms"]:
            line.append(row)
    options = {"color": colour, "marker": marker, "markersize": 5, "markeredgewidth": 0}
    axes.plot(*_places(line), linewidth=1.4, label=name, **options)
    axes.plot(*_places(chosen), linestyle="", zorder=3, **options)
    return line


def _label(axes: Any, number: int, line: Sequence[Row]) -> None:
    """How many lanes there are, where their number changes; one series above, the next below."""
    lanes = None
    for row in line:
        if row["lanes"] == lanes:
            continue
        lanes = row["lanes"]
        axes.annotate(
            f"{lanes}",
            (row["on_chip_bytes"] / KIB, row["latency_ms"]),
            textcoords="offset points",
            xytext=(4, 4) if number % 2 == 0 else (-4, -10),
            fontsize=8,
            color=SERIES[number % len(SERIES)][0],
        )


def _places(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return [row["on_chip_bytes"] / KIB for row in rows], [row["latency_ms"] for row in rows]


def _scale(axis: Any, values: Sequence[float]) -> None:
    """Logarithmic, with plain numbers, where values differ much."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if not values or max(values) < 4 * min(values):
        return
    axis.axes.set_xscale("log", base=10) if axis.axis_name == "x" else axis.axes.set_yscale("log")
    axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
