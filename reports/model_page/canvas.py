"""Figures as SVG inside a page: drawn twice, for wide and narrow places, in the page's colours.

matplotlib draws with colours that stand for the page's; they become its CSS variables, so that one
drawing is right in the light, in the dark and on paper. Texts stay texts. Names from a model are
drawn as they are: no mathematics is read in them.
"""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from npu.text import printable

WIDE, NARROW = 920, 350
"""Widths of a drawing, in pixels of the page."""

POINTS = 72
INK, FAINT, PAPER = "#010101", "#020202", "#030303"
"""Text and lines, grids and what is less, and behind all."""

SERIES = tuple(f"#04{n:02x}01" for n in range(12))
"""Colours of data."""

_VARIABLES = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    PAPER: "var(--paper)",
    **{colour: f"var(--c{n})" for n, colour in enumerate(SERIES)},
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 11.5,
    "image.interpolation": "nearest",
}

Draw = Callable[[Figure, bool], None]
"""Draws on a figure of the right size; whether it is narrow."""


def drawings(name: str, draw: Draw, height: Callable[[bool], float]) -> dict[str, str]:
    """A figure for wide and for narrow places, as SVG elements.

    name : unique in the page. height : in pixels, by whether it is narrow.
    """
    return {
        size: _svg(f"{name}-{size}", draw, width, height(size == "narrow"))
        for size, width in (("wide", WIDE), ("narrow", NARROW))
    }


def _svg(name: str, draw: Draw, width: float, height: float) -> str:
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width / POINTS, height / POINTS), layout="constrained")
        draw(figure, width == NARROW)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return _for_page(file.getvalue(), name)


def _for_page(text: str, name: str) -> str:
    """An SVG file as an element of a page: its colours the page's, its names its own."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]*)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    # Its size follows from its place.
    text = re.sub(r' (?:width|height)="[^"]*pt"', "", text, count=2)
    text = text.replace("<svg ", '<svg aria-hidden="true" ', 1)
    return text.strip()


def short(text: str, most: int) -> str:
    """A name for an axis: printable, and cut in its middle where it is long."""
    text = printable(text)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"
