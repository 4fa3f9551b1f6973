"""A float model becomes an integer one: calibrated, quantised, its noise told value by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np

from compiler.floats.samples import load_samples
from compiler.quantise.choose import DEFAULT, METHODS
from compiler.quantise.weights import BITS, WeightPlan
from npu.analysis.quantise_results import PartReport, QuantiseReport
from npu.cli._chips import load_chip
from npu.cli._extras import require_extra
from npu.cli._noise import part_report, show_noise
from npu.cli._options import chip_option, json_option, signature_option
from npu.cli._output import console, emit_json, progress, require_place
from npu.errors import InputError, ModelError
from npu.files import require_place_of_folder, write_atomic, write_folder

if TYPE_CHECKING:
    from compiler.frontends.onnx.quantised import FloatModel, Quantised
    from npu.chip.params import ChipParams


class _Limit(NamedTuple):
    """A budget, and by which option it was given."""

    option: str
    most: float


def _pairs(context: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict:
    """IN=OUT, several times."""
    found = {}
    for text in given:
        name, mark, output = text.partition("=")
        if not (name and mark and output):
            raise click.BadParameter(f"{text!r} must be INPUT=OUTPUT, the names of both")
        found[name] = output
    return found


@click.command()
@click.argument("model", type=click.Path())
@click.option("-o", "--output", metavar="OUT", required=True, help="The file or folder to write.")
@click.option(
    "--calibrate",
    metavar="DATA.npz",
    help="An array (calls, ...) for each input, under its name; MODEL.npz beside MODEL, and "
    "calibration.npz in a folder, unless given.",
)
@click.option(
    "--ranges",
    type=click.Choice(list(METHODS)),
    default=DEFAULT,
    show_default=True,
    help="How the range of an activation is chosen from what was seen.",
)
@click.option(
    "--state",
    "states",
    metavar="IN=OUT",
    multiple=True,
    callback=_pairs,
    help="An output that comes back as an input, where their names do not say so.",
)
@click.option(
    "--fix",
    "fixed",
    metavar="NAME",
    multiple=True,
    help="An input that is what the data's first call has, in every call.",
)
@click.option(
    "--bits",
    type=click.Choice(list(map(str, BITS))),
    default="8",
    show_default=True,
    help="Of a weight: how many levels a matrix has.",
)
@click.option(
    "--levels",
    type=click.Choice(["even", "clustered"]),
    default="clustered",
    show_default=True,
    help="Where these lie: evenly, or where the weights cluster (k-means).",
)
@click.option(
    "--prune",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    metavar="SHARE",
    help="Make weights 0 until SHARE of them are.",
)
@click.option(
    "--prune-scope",
    type=click.Choice(["model", "layer"]),
    default="model",
    show_default=True,
    help="Whether SHARE is of all weights together, or of each matrix.",
)
@click.option(
    "--reconstruct/--no-reconstruct",
    default=True,
    show_default=True,
    help="Move the weights that stay so that layers answer as before; with fewer bits or --prune.",
)
@click.option(
    "--clip-cells",
    type=click.FloatRange(0, 64, min_open=True),
    metavar="LIMIT",
    help="Of LSTM layers: limit the cell state to LIMIT either way; TensorFlow's converter has 10.",
)
@click.option(
    "--equalise",
    is_flag=True,
    help="Make channels that differ in size alike first, where that loses less.",
)
@click.option(
    "--correct-bias",
    is_flag=True,
    help="Let biases give back what rounded weights take on average; see whether it helps.",
)
@click.option(
    "--int16/--no-int16",
    "int16",
    default=True,
    show_default=True,
    help="What sums, products and sigmoids give each other, and states of it, in int16.",
)
@click.option(
    "--budget",
    type=click.IntRange(1, 1 << 40),
    metavar="BYTES",
    help="Of the compressed weights: bits are taken where they cost least, down to 3.",
)
@click.option(
    "--budget-ms",
    type=click.FloatRange(0, 1e6, min_open=True),
    metavar="MS",
    help="Of a call on --chip: bits are taken where they cost least, down to 3.",
)
@chip_option
@signature_option
@click.option("--layers", is_flag=True, help="Show the noise of every value.")
@json_option
def command(
    model: str,
    output: str,
    calibrate: str | None,
    ranges: str,
    states: dict[str, str],
    fixed: tuple[str, ...],
    bits: str,
    levels: str,
    prune: float,
    prune_scope: str,
    reconstruct: bool,
    clip_cells: float | None,
    equalise: bool,
    correct_bias: bool,
    int16: bool,
    budget: int | None,
    budget_ms: float | None,
    chip: str | None,
    signature: str | None,
    layers: bool,
    json_path: str | None,
) -> None:
    """Quantise a float MODEL to int8: an .onnx or .tflite file, or a transducer's folder of .onnx.

    A file becomes OUT.tflite, a folder the folder OUT with encoder, decoder, joiner and model.json.
    Both run in TensorFlow Lite Micro, and here in every command. Inputs that no data is given for
    are states where an output has their name (h0 and next_h0): they become the chip's own.
    """
    require_extra("onnx", "npu quantize", "onnx", "onnxruntime")
    limit = _limit(budget, budget_ms)
    if limit is not None and bits != "8":
        raise InputError(f"{limit.option} chooses the bits: leave --bits out")
    plan = _plan(int(bits), levels, prune, prune_scope, reconstruct, limit)
    plan = replace(plan, cell_clip=clip_cells or 0.0, correct=correct_bias, wide=int16)
    params = load_chip(chip)
    place = Path(model)
    if not place.exists():
        raise ModelError(f"no model {model!r}: give an .onnx or .tflite file, or a folder of .onnx")
    if not (place.is_file() or place.is_dir()):
        raise ModelError(f"model {model!r}: neither a file nor a folder")
    read_from = [place] if place.is_file() else sorted(place.iterdir())
    read_from += [] if calibrate is None else [Path(calibrate)]
    if place.is_dir():
        if states or fixed or signature:
            raise InputError(
                "--state, --fix and --signature belong to a file, not to a transducer's folder"
            )
        if require_place_of_folder(output) == place.resolve():
            raise InputError(f"-o {output}: it is the folder that is read; name another one")
        if equalise:
            raise InputError("--equalise is of a file, not of a transducer's folder")
        if limit is not None:
            raise InputError(
                f"{limit.option} is of a file; give encoder, decoder and joiner one each"
            )
        require_place(json_path, inputs=read_from)
        parts = _folder(place, output, calibrate, ranges, plan)
    else:
        if not output.endswith(".tflite"):
            raise InputError(f"-o {output}: an integer model is a .tflite file; name it so")
        require_place(output, json_path, inputs=read_from)
        read = partial(_read, place, calibrate, states, fixed, signature, equalise)
        parts = [_file(read, place.name, output, ranges, plan, limit, params)]
    report: QuantiseReport = {
        "model": model,
        "output": output,
        "ranges": ranges,
        "parts": parts,
    }
    emit_json(report, json_path)
    _show(report, json_path, layers)


def _read(
    place: Path,
    calibrate: str | None,
    states: dict[str, str],
    fixed: tuple[str, ...],
    signature: str | None,
    equalise: bool,
) -> FloatModel:
    from compiler.frontends.onnx.quantised import read_float
    from compiler.frontends.onnx.read import samples_beside

    samples = load_samples(calibrate) if calibrate is not None else samples_beside(place)
    return read_float(place, samples, states, fixed, signature=signature, equalise=equalise)


def _file(
    read: Callable[[], FloatModel],
    name: str,
    output: str,
    ranges: str,
    plan: WeightPlan,
    limit: _Limit | None,
    params: ChipParams,
) -> PartReport:
    from compiler.frontends.onnx.precision import Bytes, Milliseconds, chosen
    from compiler.frontends.onnx.quantised import quantised_model

    with progress("calibrating", total=3) as advance:
        source = read()
        if limit is not None:
            in_bytes, in_ms = Bytes(partial(_bytes, params)), Milliseconds(partial(_ms, params))
            cost = in_bytes if limit.option == "--budget" else in_ms
            plan = replace(plan, bits_of=chosen(source, plan, cost, limit.most, ranges))
        advance(1)
        made = quantised_model(source, ranges, plan=plan)
        advance(1)
        report = part_report(name, made, plan)
        advance(1)
    write_atomic(output, made.data)
    return report


def _bytes(params: ChipParams, matrix: np.ndarray) -> int:
    from compiler import costs

    return costs.bits(matrix, params) // 8


def _ms(params: ChipParams, made: Quantised) -> float:
    """Of a call; of two, what the longer one takes."""
    from compiler import Model, compile_model
    from npu.analysis.latency import latency_of

    image = compile_model(Model("model", {"main": made.graph}, None, None, {}), params)
    return params.milliseconds(int(latency_of(image, frames=2).frame_cycles.max()))


def _limit(budget: int | None, budget_ms: float | None) -> _Limit | None:
    if budget is not None and budget_ms is not None:
        raise InputError("--budget and --budget-ms cannot be given together")
    if budget is not None:
        return _Limit("--budget", budget)
    return None if budget_ms is None else _Limit("--budget-ms", budget_ms)


def _plan(
    bits: int, levels: str, prune: float, scope: str, reconstruct: bool, limit: _Limit | None
) -> WeightPlan:
    fewer = bits < 8 or limit is not None
    return WeightPlan(
        bits=bits,
        book=levels == "clustered" and fewer,
        prune=prune,
        per_layer=scope == "layer",
        reconstruct=reconstruct and (fewer or prune > 0),
    )


def _folder(
    place: Path, output: str, calibrate: str | None, ranges: str, plan: WeightPlan
) -> list[PartReport]:
    from compiler.frontends.onnx.transducer import data_in, parts_of, quantise_transducer

    names = parts_of(place)
    samples = load_samples(calibrate) if calibrate is not None else data_in(place)
    with progress("calibrating", total=2) as advance:
        made = quantise_transducer(place, samples, ranges, plan=plan)
        advance(1)
        parts = [part_report(names[role].name, part, plan) for role, part in made.parts.items()]
        advance(1)
    write_folder(output, made.files)
    return parts


def _show(report: QuantiseReport, json_path: str | None, layers: bool) -> None:
    out = console(json_path)
    show_noise(out, report["parts"], layers)
    out.print(f"{report['output']}: written, ranges by {report['ranges']}", markup=False)
