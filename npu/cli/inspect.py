"""What is in a model or an image, with a disassembly."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click
import numpy as np
from rich.console import Console

from compiler import Model, check_model, examine_model, load_model
from compiler.codec import entropy_bits
from compiler.frontends import Verdict, supported_operators
from npu.chip.isa import decode_program
from npu.chip.params import ChipParams
from npu.cli._layers import layer_report, layer_table, memory_report, memory_table, totals
from npu.cli._models import (
    chip_option,
    files_of,
    first_run_notice,
    is_image,
    json_option,
    layer_label,
    load_chip,
    open_image,
)
from npu.cli._output import console, emit_json, require_place, table
from npu.errors import CapacityError, ModelError, NpuError, UnsupportedError
from npu.model.graph import Graph, Quantization, Tensor
from npu.runtime.header import Header
from npu.runtime.host_interface import CALL_SHIFT
from npu.runtime.image import Image

SHOWN_COMMANDS = 24


@click.command()
@click.argument("file", required=False)
@click.option("--program", is_flag=True, help="The whole disassembly of an image.")
@click.option("--operators", is_flag=True, help="List the operators that models may use.")
@chip_option
@json_option
def command(
    file: str | None, program: bool, operators: bool, chip: str | None, json_path: str | None
) -> None:
    """Show what FILE holds: a .tflite file, a transducer folder, a zoo model or an .npu image.

    A model that the chip cannot run is refused, with the reason at its operator.
    """
    require_place(json_path, inputs=files_of(file, chip))
    if operators == (file is not None):
        raise click.UsageError("give either FILE or --operators")
    out = console(json_path)
    if file is None:
        supported = supported_operators()
        emit_json({"operators": dict(supported)}, json_path)
        for name, constraints in supported:
            out.print(f"{name}: {'; '.join(constraints)}", markup=False)
    elif is_image(file):
        report = _image_report(open_image(file, chip))
        emit_json(report, json_path)
        _show_image(report, out, program)
    else:
        if program:
            raise click.UsageError("--program disassembles an .npu image; compile the model first")
        _inspect_model(file, load_chip(chip), json_path)


def _inspect_model(file: str, params: ChipParams, json_path: str | None) -> None:
    """Show a model; of one that is refused the operators, where it is refused for one of them."""
    model, refusal = None, None
    try:
        model = load_model(file)
        with first_run_notice():
            check_model(model, params)
    except (ModelError, UnsupportedError, CapacityError) as error:
        refusal = error
    shown = refusal is not None and _show_refused(file, refusal, json_path)
    if model is not None and not shown:
        report = _model_report(model)
        emit_json(report, json_path)
        _show_model(report, console(json_path))
    if refusal is not None:
        raise refusal


def _show_refused(file: str, error: NpuError, json_path: str | None) -> bool:
    """Show every operator of a refused model, with the reason of those that do not run here.

    Returns False where the operators do not tell more than the error.
    """
    try:
        graphs = examine_model(file)
    except NpuError:
        return False
    graphs = {
        name: [_with_reason(verdict, name, str(error)) for verdict in verdicts]
        for name, verdicts in graphs.items()
    }
    refused = any(v.reason for verdicts in graphs.values() for v in verdicts)
    if not refused and not isinstance(error, UnsupportedError):
        return False
    report = {
        "model": file,
        "refused": str(error),
        "graphs": {name: [asdict(v) for v in verdicts] for name, verdicts in graphs.items()},
    }
    emit_json(report, json_path)
    out = console(json_path)
    for name, verdicts in graphs.items():
        rows = [(v.name, v.operands, v.reason or "runs here") for v in verdicts]
        columns = (name, "inputs and outputs", "verdict")
        out.print(table(columns, rows, left=columns))
    return True


def _with_reason(verdict: Verdict, file: str, error: str) -> Verdict:
    """What only the whole graph and the chip show, the error tells, and names its operator."""
    place = f"{file}: {verdict.name}"
    if verdict.reason or not error.startswith(place):
        return verdict
    return replace(verdict, reason=error.removeprefix(place).lstrip(" :,"))


# --- models ---------------------------------------------------------------------------------------
def _model_report(model: Model) -> dict[str, Any]:
    report: dict[str, Any] = {
        "model": model.name,
        "kind": "transducer" if model.is_transducer else "graph",
        "sources": model.sources,
        "graphs": {role: _graph_report(graph) for role, graph in model.graphs.items()},
    }
    if model.config is not None and model.tokens is not None:
        report["config"] = model.config.model_dump(mode="json")
        report["symbols"] = list(model.tokens.symbols)
    return report


def _graph_report(graph: Graph) -> dict[str, Any]:
    tensors = [_tensor_report(tensor) for tensor in graph.tensors]
    return {
        "file": graph.name,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "parameters": sum(t.size for t in graph.tensors if t.is_constant),
        "operators": [
            {"name": op.name, "output": op.output, "shape": graph.tensors[op.output].shape}
            for op in graph.operators
        ],
        "tensors": tensors,
    }


def _tensor_report(tensor: Tensor) -> dict[str, Any]:
    kind = "constant" if tensor.is_constant else "state" if tensor.is_state else "activation"
    report: dict[str, Any] = {
        "name": tensor.name,
        "kind": kind,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "quantization": _quantization_report(tensor.quantization),
    }
    if tensor.data is not None and tensor.data.size:
        nonzeros = int(np.count_nonzero(tensor.data))
        report["nonzeros"] = nonzeros
        report["sparsity"] = 1 - nonzeros / tensor.size
        if tensor.dtype == "int8":
            report["entropy_bits_per_weight"] = entropy_bits(tensor.data) / tensor.size
    return report


def _quantization_report(quantization: Quantization | None) -> dict[str, Any] | None:
    if quantization is None:
        return None
    return {
        "scale": [float(scale) for scale in quantization.scale],
        "zero_point": quantization.zero_point,
        "axis": None if quantization.per_tensor else quantization.axis,
    }


def _show_model(report: dict[str, Any], out: Console) -> None:
    parameters = sum(graph["parameters"] for graph in report["graphs"].values())
    out.print(f"{report['model']}: {report['kind']}, {parameters:,} parameters", markup=False)
    for role, graph in report["graphs"].items():
        tensors = graph["tensors"]
        out.print()
        out.print(
            f"{role} ({graph['file']}): {len(graph['operators'])} operators, "
            f"{graph['parameters']:,} parameters",
            markup=False,
        )
        for side in ("inputs", "outputs"):
            for index in graph[side]:
                tensor = tensors[index]
                out.print(
                    f"  {side[:-1]} {tensor['name']}: {tensor['dtype']} {list(tensor['shape'])} "
                    f"{_quantization_text(tensor['quantization'])}",
                    markup=False,
                )
        out.print(
            table(
                ("operator", "output", "output shape"),
                [
                    (op["name"], tensors[op["output"]]["name"], list(op["shape"]))
                    for op in graph["operators"]
                ],
                left=("output",),
            )
        )
        weights = [t for t in tensors if t["kind"] == "constant" and t["dtype"] == "int8"]
        if weights:
            out.print(_weights_table(weights))
    if "symbols" in report:
        symbols = "".join(report["symbols"][1:])
        config = report["config"]
        out.print(
            f"{len(report['symbols'])} symbols: blank and {symbols!r}; at most "
            f"{config['max_symbols_per_frame']} per encoder call",
            markup=False,
        )


def _weights_table(weights: list[dict[str, Any]]) -> Any:
    rows = [
        (
            t["name"],
            "x".join(map(str, t["shape"])),
            f"{t['nonzeros']:,}",
            f"{t['sparsity']:.1%}",
            f"{t['entropy_bits_per_weight']:.3f}",
            _quantization_text(t["quantization"]),
        )
        for t in weights
        if "nonzeros" in t
    ]
    columns = ("weights", "shape", "nonzeros", "zeros", "entropy", "quantised")
    return table(columns, rows, left=("quantised",))


def _quantization_text(quantization: dict[str, Any] | None) -> str:
    if quantization is None:
        return "not quantised"
    scales = quantization["scale"]
    if quantization["axis"] is not None:
        return f"{len(scales)} scales, one per index of axis {quantization['axis']}"
    return f"scale {scales[0]:.6g}, zero point {quantization['zero_point']}"


# --- images ---------------------------------------------------------------------------------------
def _image_report(image: Image) -> dict[str, Any]:
    header = image.header
    graph = header.invoke if header.transducer is None else None
    inputs, outputs = (graph.inputs, graph.outputs) if graph is not None else ((), ())
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
        "inputs": [tensor.model_dump(mode="json") for tensor in inputs],
        "outputs": [tensor.model_dump(mode="json") for tensor in outputs],
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


def _disassembly(image: Image) -> list[dict[str, Any]]:
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


def _show_image(report: dict[str, Any], out: Console, whole: bool) -> None:
    chip, program = report["chip"], report["program"]
    out.print(
        f"{report['model']}: {report['kind']} for {chip['name']} ({chip['lanes']} lanes of "
        f"{chip['threads']} threads, {chip['clock_mhz']:g} MHz)",
        markup=False,
    )
    for name, digest in report["sources"].items():
        out.print(f"  compiled from {name} (SHA-256 {digest[:16]}...)", markup=False)
    for side in ("inputs", "outputs"):
        for tensor in report[side]:
            _show_tensor(side[:-1], tensor, out)
    if report["transducer"] is not None:
        _show_tensor("features", report["transducer"]["features"], out)
        out.print(f"  {len(report['transducer']['tokens'])} symbols")
    out.print(layer_table(report["layers"], report["total"]))
    out.print(memory_table(report["memory"]))
    out.print(
        table(
            ("section", "address", "bytes", "CRC-32", "checked"),
            [
                (
                    layer_label(s["name"]),
                    f"{s['address']:#x}",
                    f"{s['n_bytes']:,}",
                    f"{s['crc32']:08x}",
                    s["crc"],
                )
                for s in [
                    *report["sections"],
                    {
                        **{"name": "program", "address": 0, "crc": program["crc"]},
                        **{"n_bytes": report["memory"]["program"]["used"]},
                        "crc32": program["crc32"],
                    },
                ]
            ],
        )
    )
    listing = report["disassembly"]
    shown = listing if whole else listing[:SHOWN_COMMANDS]
    width = max((len(line["text"]) for line in shown), default=0)
    for line in shown:
        if line["label"] is not None:
            out.print(f"{line['label']}:", markup=False)
        out.print(
            f"{line['pc']:5}  {line['text']:<{width}}  ; {layer_label(line['layer'])}", markup=False
        )
    if len(listing) > len(shown):
        out.print(f"       ... {len(listing) - len(shown)} more commands: add --program")


def _show_tensor(role: str, tensor: dict[str, Any], out: Console) -> None:
    scale = "" if tensor["scale"] is None else f" scale {tensor['scale']:.6g},"
    out.print(
        f"  {role} {tensor['name']}: {tensor['dtype']} {tensor['shape']}{scale} zero point "
        f"{tensor['zero_point']}, at {tensor['address']:#x}",
        markup=False,
    )
