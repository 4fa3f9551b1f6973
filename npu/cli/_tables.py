"""The tables of what an image holds: its weight matrices, its memories, its segments."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from npu.analysis.energy import largest
from npu.analysis.energy_results import FrameEnergy
from npu.analysis.layers import layer_label, tiles_text
from npu.analysis.profile import UNITS
from npu.analysis.results import (
    LayerReport,
    MemoryUse,
    SegmentReport,
    WeightsReport,
)
from npu.cli._output import table

STAY = "tiles that stay"
"""The column of `npu.analysis.layers.tiles_text`, in every table."""


def layer_table(layers: list[LayerReport], total: WeightsReport) -> Table:
    """The layers and their total as a table; cycles where they were measured.

    What is streamed is of a product, as the cycles are.
    """
    measured = any("cycles" in layer for layer in layers)
    streams = total["streamed_bytes"] > 0
    columns = [
        "layer",
        "shape",
        "nonzeros",
        "zeros",
        "bits/weight",
        "entropy",
        "/ entropy",
        STAY,
    ]
    rows = []
    for layer in [*layers, None]:
        figures = total if layer is None else layer
        row = ["total", ""] if layer is None else [layer_label(layer["name"]), _shape(layer)]
        row += [
            f"{figures['nonzeros']:,}",
            _number(figures["sparsity"], "{:.1%}"),
            _number(figures["bits_per_weight"], "{:.3f}"),
            _number(figures["entropy_bits_per_weight"], "{:.3f}"),
            _number(figures["over_entropy"], "{:.3f}"),
            tiles_text(figures["resident_tiles"], figures["tiles"]),
        ]
        if streams:
            row.append("" if layer is None else f"{layer['streamed_bytes']:,}")
        if measured:
            row += ["", ""] if layer is None else _cycles(layer)
        rows.append(row)
    columns += ["bytes streamed"] if streams else []
    columns += ["cycles", "product util."] if measured else []
    return table(columns, rows, left=[STAY])


def _shape(layer: LayerReport) -> str:
    return f"{layer['rows']}x{layer['columns']}"


def _number(value: float | None, text: str) -> str:
    return "" if value is None else text.format(value)


def _cycles(layer: LayerReport) -> list[str]:
    if "cycles" not in layer:
        return ["", ""]
    return [f"{layer['cycles']:,.0f}", f"{layer['product_utilisation']:.2%}"]


_MEMORIES = {
    "bank": "weight bank (of the fullest lane)",
    "param": "parameter memory",
    "sram": "vector SRAM",
    "program": "program memory",
    "external": "external memory",
}


def memory_table(report: Mapping[str, MemoryUse]) -> Table:
    """Bytes used of every memory."""
    return table(
        ("memory", "used", "size", "full"),
        [
            (_MEMORIES[name], f"{m['used']:,}", f"{m['size']:,}", f"{m['used'] / m['size']:.1%}")
            for name, m in report.items()
        ],
    )


def segment_table(report: Mapping[str, SegmentReport]) -> Table:
    """One line per graph."""
    return table(
        ("once through", "cycles", "ms", *UNITS, "bytes moved", "run util."),
        [
            (
                name,
                f"{segment['cycles']:,.0f}",
                f"{segment['ms']:.4f}",
                *(f"{segment['units'][unit]:,.0f}" for unit in UNITS),
                f"{segment['bytes']:,.0f}",
                f"{segment['run_utilisation']:.2%}",
            )
            for name, segment in report.items()
        ],
    )


def energy_text(frame: FrameEnergy) -> str:
    """What a call takes of energy, what for, and what the chip takes that waits between calls."""
    energy = frame["energy_uj"]
    shares = (f"{cause} {each / energy['total']:.0%}" for cause, each in largest(energy))
    text = f"energy {energy['total']:,.2f} uJ a call (an estimate; {frame['decided']})"
    if frame["listening_uw"] is not None:
        text += (
            f", {frame['listening_uw']:,.0f} uW with a call every {frame['period_ms']:g} ms "
            "and waiting between"
        )
    return f"{text}: {', '.join(shares)}"
