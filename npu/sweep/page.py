"""A sweep as a table, and as one page that needs no network: a picture and the table."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from npu.sweep.folder import columns
from npu.sweep.front import Row, front, thinning_of, worked
from npu.sweep.pictures import NARROW_INCHES, WIDE_INCHES, picture, style
from npu.sweep.weights import UNTRAINED

TEMPLATE = Path(__file__).with_name("page.html")
KIB = 1024

_FIGURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "latency_ms": ("ms", "{:.4f}".format),
    "latency_cycles": ("cycles", "{:,}".format),
    "real_time_factor": ("real-time factor", "{:.5f}".format),
    "energy_uj": ("uJ", "{:.2f}".format),
    "listening_uw": ("uW listening", "{:.1f}".format),
    "area_mm2": ("mm2", "{:.3f}".format),
    "on_chip_bytes": ("memory KiB", lambda value: f"{value / KIB:,.0f}"),
    "weight_bytes": ("weights KiB", lambda value: f"{value / KIB:,.0f}"),
    "resident_share": ("resident", "{:.0%}".format),
    "zeros": ("zeros", "{:.0%}".format),
    "bits_per_weight": ("bits/weight", "{:.2f}".format),
    "accuracy": ("accuracy", "{:.4g}".format),
    "bound_by": ("bound by", str),
}
"""The figures of a row: their heading, and how they are written."""

Table = tuple[list[str], list[list[str]]]


def front_table(rows: Sequence[Row]) -> Table:
    """Headings and cells of the points that no other one beats, the fastest first."""
    chosen = sorted(front(rows), key=lambda row: (row["model"], row["latency_ms"]))
    asked = columns(rows)
    models = ["model"] if len({row["model"] for row in rows}) > 1 else []
    shown = [key for key in _FIGURES if any(row.get(key) is not None for row in chosen)]
    heads = [*models, *asked, *(_FIGURES[key][0] for key in shown)]
    cells = []
    for row in chosen:
        values = [_plain(row.get(key)) for key in (*models, *asked)]
        for key in shown:
            value = row.get(key)
            values.append("" if value is None else _FIGURES[key][1](value))
        cells.append(values)
    return heads, cells


def summary(rows: Sequence[Row]) -> str:
    """How many points there are, and how many of them are shown."""
    models = sorted({str(row["model"]) for row in rows})
    failed = len(rows) - len(worked(rows))
    return (
        f"{len(rows):,} points of {', '.join(models)}: {len(front(rows)):,} that no other one "
        f"beats, {failed:,} that failed"
    )


def note(rows: Sequence[Row]) -> str | None:
    """What must be said of the weights."""
    if not any(thinning_of(row).changes for row in rows):
        return None
    return f"{UNTRAINED}; points of other weights are not held against each other."


def failures(rows: Sequence[Row]) -> list[tuple[int, str]]:
    """Reasons of failure, with how many points have each, the most frequent first."""
    reasons = Counter(str(row["error"]) for row in rows if row.get("error") is not None)
    return [(count, reason) for reason, count in reasons.most_common()]


def page(rows: Sequence[Row], title: str) -> str:
    """HTML: everything in one file."""
    from jinja2 import Environment
    from markupsafe import Markup

    heads, cells = front_table(rows)
    template = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=title,
        summary=f"{summary(rows)}.",
        note=note(rows),
        style=Markup(style()),
        wide=Markup(picture(rows, WIDE_INCHES)),
        narrow=Markup(picture(rows, NARROW_INCHES)),
        columns=heads,
        rows=cells,
        failures=failures(rows),
    )


def _plain(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
