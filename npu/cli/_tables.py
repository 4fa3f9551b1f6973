"""The tables of what an image holds: its weight matrices, its memories, its segments."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from npu.analysis.layers import layer_label
from npu.analysis.profile import UNITS
from npu.analysis.results import LayerReport, MemoryUse, SegmentReport, WeightsReport
from npu.cli._output import table


def layer_table(layers: list[LayerReport], total: WeightsReport) -> Table:
    """The layers and their total as a table; cycles where they were measured."""
    measured = any("cycles" in layer for layer in layers)
    columns = [
        "layer",
        "shape",
        "nonzeros",
        "zeros",
        "bits/weight",
        "entropy",
        "/ entropy",
        "weights",
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
            "" if layer is None else _place(layer),
        ]
        if measured:
            row += ["", ""] if layer is None else _cycles(layer)
        rows.append(row)
    columns += ["cycles", "product util."] if measured else []
    return table(columns, rows, left=["weights"])


def _shape(layer: LayerReport) -> str:
    return f"{layer['rows']}x{layer['columns']}"


def _number(value: float | None, text: str) -> str:
    return "" if value is None else text.format(value)


def _place(layer: LayerReport) -> str:
    tiles = f", {layer['tiles']} tiles" if layer["tiles"] > 1 else ""
    return ("resident" if layer["resident"] else "streamed") + tiles


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
