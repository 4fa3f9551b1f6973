"""What an image holds, as reports: its weight matrices, its memories, its segments."""

from typing import Any

import numpy as np

from npu.analysis.energy_results import FrameEnergy
from npu.analysis.profile import LayerCycles, Measurement
from npu.analysis.results import (
    CompileReport,
    ImageReport,
    LayerReport,
    Line,
    MemoryUse,
    SegmentReport,
    WeightsReport,
)
from npu.chip.isa import decode_program
from npu.chip.summary import summary
from npu.chip.work import utilisation
from npu.runtime.header import Header, LayerInfo
from npu.runtime.host_interface import CALL_SHIFT
from npu.runtime.image import Image
from npu.twin.tile import deal


def layer_label(name: str) -> str:
    """A layer's name for a table: "encoder: operator 0 (UNIDIRECTIONAL_SEQUENCE_LSTM) input" is
    "encoder 0 LSTM input"."""
    graph, separator, place = name.partition(": ")
    short = place if graph == "main" else f"{graph} {place}" if separator else name
    short = short.replace("operator ", "", 1)
    short = short.replace("UNIDIRECTIONAL_SEQUENCE_LSTM", "LSTM")
    return short.replace("(", "", 1).replace(")", "", 1)


def tiles_text(resident_tiles: int, tiles: int) -> str:
    """How many of some tiles stay on the chip, in words: "all", "9 of 20", "none of 20"."""
    if resident_tiles == tiles:
        return "all"
    return f"{resident_tiles or 'none'} of {tiles:,}"


def layer_report(layer: LayerInfo, cycles: LayerCycles | None, lanes: int) -> LayerReport:
    """One weight matrix. `bits_per_weight` counts code tables, padding and headers, zeros too."""
    weights = layer.rows * layer.columns
    report: LayerReport = {
        "name": str(layer.layer),
        "rows": layer.rows,
        "columns": layer.columns,
        "nonzeros": layer.nonzeros,
        "sparsity": 1 - layer.nonzeros / weights,
        "compressed_bits": layer.compressed_bits,
        "bits_per_weight": layer.compressed_bits / weights,
        "entropy_bits_per_weight": layer.entropy_bits / weights,
        "over_entropy": layer.compressed_bits / layer.entropy_bits if layer.entropy_bits else None,
        "row_record_bytes": layer.record_bytes,
        "tiles": layer.tiles,
        "resident_tiles": layer.resident_tiles,
        "resident_bytes": layer.resident_bytes,
        "streamed_bytes": layer.streamed_bytes,
    }
    if cycles is not None:
        report["products"] = cycles.products
        report["cycles"] = cycles.cycles
        report["run_cycles"] = cycles.run_cycles
        report["ideal_cycles"] = -(-layer.nonzeros // lanes)
        report["product_utilisation"] = utilisation(cycles.macs, cycles.cycles, lanes)
    return report


def totals(layers: tuple[LayerInfo, ...]) -> WeightsReport:
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
        "tiles": sum(layer.tiles for layer in layers),
        "resident_tiles": sum(layer.resident_tiles for layer in layers),
        "resident_bytes": sum(layer.resident_bytes for layer in layers),
        "streamed_bytes": sum(layer.streamed_bytes for layer in layers),
    }


def memory_report(image: Image) -> dict[str, MemoryUse]:
    """Bytes used and there, by memory; `bank` is the fullest lane's, `sram` with its live set."""
    p = image.params
    bank = param = 0
    banks = np.zeros((p.lanes, p.bank_bus_words, p.bus_words), np.uint32)
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
    report: dict[str, MemoryUse] = {
        name: {"used": use, "size": size} for name, (use, size) in used.items()
    }
    report["sram"] |= {"live": image.header.live_bytes, "places": image.header.live_places}
    return report


def segment_report(image: Image, measurement: Measurement) -> dict[str, SegmentReport]:
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


def compile_report(
    image: Image, measurement: Measurement, frame: FrameEnergy, image_bytes: int
) -> CompileReport:
    """What an image takes, with the cycles that were measured and the energy of a frame."""
    header, params = image.header, image.params
    return {
        "model": header.model,
        "kind": header.kind,
        "chip": summary(params),
        "image_bytes": image_bytes,
        "layers": [
            layer_report(layer, measurement.layers.get(layer.layer), params.lanes)
            for layer in header.layers
        ],
        "total": totals(header.layers),
        "memory": memory_report(image),
        "commands": image.n_commands,
        "boot_cycles": measurement.boot,
        "reset_cycles": measurement.reset,
        "segments": segment_report(image, measurement),
        "frame": frame,
    }


def image_report(image: Image) -> ImageReport:
    """What an image holds, without running it."""
    header = image.header
    entries = header.entries if header.transducer is None else ()
    return {
        "model": header.model,
        "kind": header.kind,
        "format": header.format,
        "chip": header.chip,
        "sources": header.sources,
        "entries": {entry.name: entry.pc for entry in header.entries},
        "sections": [
            {**section.model_dump(mode="json"), "crc": "ok"} for section in header.sections
        ],
        "program": {"commands": image.n_commands, "crc32": header.program_crc32, "crc": "ok"},
        "memory": memory_report(image),
        "layers": [layer_report(layer, None, image.params.lanes) for layer in header.layers],
        "total": totals(header.layers),
        "inputs": [tensor.model_dump(mode="json") for entry in entries for tensor in entry.inputs],
        "outputs": [
            tensor.model_dump(mode="json") for entry in entries for tensor in entry.outputs
        ],
        "transducer": None if header.transducer is None else _transducer_report(header),
        "disassembly": _disassembly(image),
    }


def _transducer_report(header: Header) -> dict[str, Any]:
    assert header.transducer is not None
    loop = header.entry(header.transducer.hears).loop
    return {
        **header.transducer.model_dump(mode="json"),
        **(loop.model_dump(mode="json") if loop is not None else {}),
        "features": header.features.model_dump(mode="json"),
        "call_shift": CALL_SHIFT,
    }


def _disassembly(image: Image) -> list[Line]:
    """Every command with its layer, and with the name that entries and branches call it by."""
    commands = decode_program(image.program)
    labels: dict[int, str] = {}
    for command_ in commands:
        target = command_.values.get("target")
        if target is not None:
            labels[target] = f"L{target}"
    labels.update({entry.pc: entry.name for entry in image.header.entries})
    header = image.header
    return [
        {
            "pc": pc,
            "label": labels.get(pc),
            "layer": str(header.command_layers[header.command_layer[pc]]),
            "text": str(command_),
        }
        for pc, command_ in enumerate(commands)
    ]
