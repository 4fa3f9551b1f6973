"""What is in a model or an image, with a disassembly."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from compiler import Model, check_model, examine_model, load_model
from compiler import refused_operators as refused_by_the_chip
from compiler.describe import ModelReport, QuantizationReport, TensorReport, model_report
from compiler.frontends import supported_operators
from compiler.frontends.formats import Verdict
from npu.analysis.layers import image_report, layer_label
from npu.analysis.results import ImageReport
from npu.chip.params import ChipParams
from npu.chip.summary import summary_text
from npu.cli._models import files_of, first_run_notice, is_image, load_chip, open_image
from npu.cli._options import chip_option, json_option, signature_option
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.cli._tables import layer_table, memory_table
from npu.errors import CapacityError, ModelError, NpuError, UnsupportedError

SHOWN_COMMANDS = 24


@click.command()
@click.argument("file", required=False)
@click.option("--program", is_flag=True, help="The whole disassembly of an image.")
@click.option("--operators", is_flag=True, help="List the operators that models may use.")
@chip_option
@signature_option
@json_option
def command(
    file: str | None,
    program: bool,
    operators: bool,
    chip: str | None,
    signature: str | None,
    json_path: str | None,
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
        shown = image_report(open_image(file, chip, signature))
        emit_json(shown, json_path)
        _show_image(shown, out, program)
    else:
        if program:
            raise click.UsageError("--program disassembles an .npu image; compile the model first")
        _inspect_model(file, load_chip(chip), signature, json_path)


def _inspect_model(
    file: str, params: ChipParams, signature: str | None, json_path: str | None
) -> None:
    """Show a model; of one that is refused the operators, where it is refused for one of them."""
    model, refusal = None, None
    try:
        model = load_model(file, signature)
        with first_run_notice(), progress("checking"):
            check_model(model, params)
    except (ModelError, UnsupportedError, CapacityError) as error:
        refusal = error
    shown = refusal is not None and _show_refused(file, model, refusal, json_path)
    if model is not None and not shown:
        report = model_report(model)
        emit_json(report, json_path)
        _show_model(report, console(json_path))
    if refusal is not None:
        raise refusal


def _show_refused(file: str, model: Model | None, error: NpuError, json_path: str | None) -> bool:
    """Show every operator of a refused model, with the reason of those that do not run here.

    Returns False where the operators do not tell more than the error.
    """
    try:
        graphs = examine_model(file)
    except NpuError:
        return False
    chip = {} if model is None else refused_by_the_chip(model)
    graphs = {
        name: [_with_reason(verdict, name, chip.get(name, {}), str(error)) for verdict in verdicts]
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


def _with_reason(verdict: Verdict, file: str, chip: dict[str, str], error: str) -> Verdict:
    """What the chip has no form of, `chip` says by name; what only the whole graph and the chip
    show, the error tells, and names its operator."""
    if not verdict.reason and verdict.name in chip:
        return replace(verdict, reason=chip[verdict.name])
    place = f"{file}: {verdict.name}"
    if verdict.reason or not error.startswith(place):
        return verdict
    return replace(verdict, reason=error.removeprefix(place).lstrip(" :,"))


# --- models ---------------------------------------------------------------------------------------
def _show_model(report: ModelReport, out: Console) -> None:
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
        for role_of, indices in (("input", graph["inputs"]), ("output", graph["outputs"])):
            for index in indices:
                tensor = tensors[index]
                out.print(
                    f"  {role_of} {tensor['name']}: {tensor['dtype']} {list(tensor['shape'])} "
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
            f"{config['max_symbols_per_frame']} per frame of the encoder's output",
            markup=False,
        )


def _weights_table(weights: list[TensorReport]) -> Table:
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


def _quantization_text(quantization: QuantizationReport | None) -> str:
    if quantization is None:
        return "not quantised"
    scales = quantization["scale"]
    if quantization["axis"] is not None:
        return f"{len(scales)} scales, one per index of axis {quantization['axis']}"
    return f"scale {scales[0]:.6g}, zero point {quantization['zero_point']}"


# --- images ---------------------------------------------------------------------------------------
def _show_image(report: ImageReport, out: Console, whole: bool) -> None:
    out.print(
        f"{report['model']}: {report['kind']} for {summary_text(report['chip'])}", markup=False
    )
    for name, digest in report["sources"].items():
        out.print(f"  compiled from {name} (SHA-256 {digest[:16]}...)", markup=False)
    for role, tensors in (("input", report["inputs"]), ("output", report["outputs"])):
        for tensor in tensors:
            _show_tensor(role, tensor, out)
    if report["transducer"] is not None:
        _show_tensor("features", report["transducer"]["features"], out)
        out.print(f"  {len(report['transducer']['tokens'])} symbols")
    out.print(layer_table(report["layers"], report["total"]))
    out.print(memory_table(report["memory"]))
    out.print(_sections_table(report))
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


def _sections_table(report: ImageReport) -> Table:
    program = {
        "name": "program",
        "address": 0,
        "n_bytes": report["memory"]["program"]["used"],
        "crc32": report["program"]["crc32"],
        "crc": report["program"]["crc"],
    }
    rows = [
        (
            layer_label(section["name"]),
            f"{section['address']:#x}",
            f"{section['n_bytes']:,}",
            f"{section['crc32']:08x}",
            section["crc"],
        )
        for section in [*report["sections"], program]
    ]
    return table(("section", "address", "bytes", "CRC-32", "checked"), rows)


def _show_tensor(role: str, tensor: dict[str, Any], out: Console) -> None:
    scale = "" if tensor["scale"] is None else f" scale {tensor['scale']:.6g},"
    out.print(
        f"  {role} {tensor['name']}: {tensor['dtype']} {tensor['shape']}{scale} zero point "
        f"{tensor['zero_point']}, at {tensor['address']:#x}",
        markup=False,
    )
