"""What an image holds, as reports: its weight matrices, its memories, its segments."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.table import Table

from npu.analysis.profile import UNITS, LayerCycles, Measurement
from npu.chip.isa import decode_program
from npu.chip.work import utilisation
from npu.cli._models import layer_label
from npu.cli._output import table
from npu.runtime.header import LayerInfo
from npu.runtime.image import Image
from npu.twin.tile import deal


def layer_report(layer: LayerInfo, cycles: LayerCycles | None, lanes: int) -> dict[str, Any]:
    """One weight matrix. `bits_per_weight` counts code tables, padding and headers, zeros too."""
    weights = layer.rows * layer.columns
    report: dict[str, Any] = {
        "name": str(layer.layer),
        "rows": layer.rows,
        "columns": layer.columns,
        "nonzeros": layer.nonzeros,
        "sparsity": 1 - layer.nonzeros / weights,
        "compressed_bits": layer.compressed_bits,
        "bits_per_weight": layer.compressed_bits / weights,
        "entropy_bits_per_weight": layer.entropy_bits / weights,
        "over_entropy": layer.compressed_bits / layer.entropy_bits if layer.entropy_bits else None,
        "record_bytes": layer.record_bytes,
        "resident": layer.resident,
        "tiles": layer.tiles,
    }
    if cycles is not None:
        report["products"] = cycles.products
        report["cycles"] = cycles.cycles
        report["run_cycles"] = cycles.run_cycles
        report["ideal_cycles"] = -(-layer.nonzeros // lanes)
        report["product_utilisation"] = utilisation(cycles.macs, cycles.cycles, lanes)
    return report


def totals(layers: tuple[LayerInfo, ...]) -> dict[str, Any]:
    """All weight matrices together."""
    weights = sum(layer.rows * layer.columns for layer in layers)
    nonzeros = sum(layer.nonzeros for layer in layers)
    bits = sum(layer.compressed_bits for layer in layers)
    entropy = sum(layer.entropy_bits for layer in layers)
    return {
        "weights": weights,
        "nonzeros": nonzeros,
        "sparsity": 1 - nonzeros / weights if weights else None,
        "compressed_bits": bits,
        "bits_per_weight": bits / weights if weights else None,
        "entropy_bits_per_weight": entropy / weights if weights else None,
        "over_entropy": bits / entropy if entropy else None,
    }


def layer_table(layers: list[dict[str, Any]], total: dict[str, Any]) -> Table:
    """The layers and their total as a table; cycles where they were measured."""
    measured = any("cycles" in layer for layer in layers)
    columns = ["layer", "shape", "nonzeros", "zeros", "bits/weight", "entropy", "ratio", "weights"]
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


def _shape(layer: dict[str, Any]) -> str:
    return f"{layer['rows']}x{layer['columns']}"


def _number(value: float | None, text: str) -> str:
    return "" if value is None else text.format(value)


def _place(layer: dict[str, Any]) -> str:
    tiles = f", {layer['tiles']} tiles" if layer["tiles"] > 1 else ""
    return ("resident" if layer["resident"] else "streamed") + tiles


def _cycles(layer: dict[str, Any]) -> list[str]:
    if "cycles" not in layer:
        return ["", ""]
    return [f"{layer['cycles']:,.0f}", f"{layer['product_utilisation']:.2%}"]


def memory_report(image: Image) -> dict[str, dict[str, int]]:
    """Bytes used and there, by memory; `bank` is the fullest lane's."""
    p = image.params
    bank = param = 0
    banks = np.zeros((p.lanes, p.bank_bytes // p.bus_bytes, p.bus_bytes // 4), np.uint32)
    for command in decode_program(image.program):
        if command.opcode.name == "LOAD_BANK":
            end = command.ext + command.beats * p.bus_bytes
            tile = np.ascontiguousarray(image.memory[command.ext : end])
            # Of a hostile image, what the chip would take.
            if len(tile) % p.bus_bytes == 0:
                dealt = deal(tile.view(np.uint32), banks, command.bank, p.threads)
                bank = max(bank, 0 if dealt.fault else int(dealt.ends.max()) * p.bus_bytes)
        elif command.opcode.name == "LOAD_PARAM":
            param = max(param, command.param + command.beats * p.bus_bytes)
    used = {
        "bank": (bank, p.bank_bytes),
        "param": (param, p.param_bytes),
        "sram": (image.header.sram_bytes, p.sram_bytes),
        "program": (len(image.program), p.program_bytes),
        "external": (image.header.memory_bytes, p.memory_bytes),
    }
    return {name: {"used": use, "size": size} for name, (use, size) in used.items()}


_MEMORIES = {
    "bank": "weight bank (of the fullest lane)",
    "param": "parameter memory",
    "sram": "vector SRAM",
    "program": "program memory",
    "external": "external memory",
}


def memory_table(report: dict[str, dict[str, int]]) -> Table:
    """Bytes used of every memory."""
    return table(
        ("memory", "used", "size", "full"),
        [
            (_MEMORIES[name], f"{m['used']:,}", f"{m['size']:,}", f"{m['used'] / m['size']:.1%}")
            for name, m in report.items()
        ],
    )


def segment_report(image: Image, measurement: Measurement) -> dict[str, dict[str, Any]]:
    """Cycles of each graph of the model, by unit."""
    return {
        name: {
            "cycles": segment.cycles,
            "ms": image.params.milliseconds(segment.cycles),
            "units": segment.units,
            "macs": segment.macs,
            "bytes": segment.n_bytes,
            "run_utilisation": utilisation(segment.macs, segment.cycles, image.params.lanes),
        }
        for name, segment in measurement.segments.items()
    }


def segment_table(report: dict[str, dict[str, Any]]) -> Table:
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
