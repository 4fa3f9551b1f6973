"""What a model lost when it became an integer one, as `npu quantize` and `npu compile` tell it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from compiler.frontends.either import is_float
from compiler.quantise.weights import WeightPlan
from npu.analysis.quantise_results import PartReport, ValueNoise
from npu.cli._output import table
from npu.errors import ModelError

if TYPE_CHECKING:
    from compiler.frontends.onnx.noise import Noise
    from compiler.frontends.onnx.quantised import Quantised


def calibration_report(model: str, signature: str | None) -> PartReport:
    """Of a float MODEL with its data beside it, quantised as `load_model` does.

    Raises ModelError for one that was not quantised here, and as `load_model`.
    """
    place = Path(model)
    if place.suffix.lower() != ".onnx" and not is_float(place, signature):
        raise ModelError(
            f"{model}: --calibration-report is of a float .onnx or .tflite file, which is "
            "quantised here; this is none, and loses nothing (npu quantize tells of folders)"
        )
    from compiler.frontends.onnx.quantised import quantised_model, read_float
    from compiler.frontends.onnx.read import samples_beside

    source = read_float(place, samples_beside(place), signature=signature)
    return part_report(place.name, quantised_model(source), WeightPlan())


def part_report(name: str, made: Quantised, plan: WeightPlan) -> PartReport:
    """Of a part: what it is, and the noise of every value over the calibration data."""
    from compiler.floats.rewrite.sums import schedules

    noise = made.noise()
    count = len(made.source.graph.outputs)
    weights = [
        t.data
        for t in made.graph.tensors
        if t.data is not None and t.dtype == "int8" and t.data.ndim > 1
    ]
    return {
        "source": name,
        "calls": len(made.source.samples),
        "file_bytes": len(made.data),
        "weights": sum(w.size for w in weights),
        "zeros": sum(int((w == 0).sum()) for w in weights),
        "bits": dict(plan.bits_of),
        "states": [state.current for state in made.source.graph.states],
        "settled": list(made.source.graph.settled),
        "mean_calls": max((len(rows) for rows in schedules(made.source.graph).values()), default=0),
        "outputs": [_noise(each) for each in noise[-count:]],
        "values": [_noise(each) for each in noise[:-count]],
    }


def _noise(each: Noise) -> ValueNoise:
    def known(decibels: float) -> float | None:
        return round(decibels, 2) if abs(decibels) != float("inf") else None

    return {
        "name": each.name,
        "decibels": known(each.decibels),
        "varying_decibels": known(each.varying_decibels),
        "worst_steps": round(each.worst, 2),
    }


def show_noise(out: Console, parts: Sequence[PartReport], layers: bool) -> None:
    """Noise of the outputs, with `layers` of every value; then what the parts are."""
    rows = []
    for part in parts:
        shown = [*(part["values"] if layers else []), *part["outputs"]]
        rows += [
            (
                part["source"],
                each["name"],
                _decibels(each["decibels"]),
                _decibels(each["varying_decibels"]),
                f"{each['worst_steps']:.1f}",
            )
            for each in shown
        ]
    columns = ("model", "value", "signal/noise dB", "without mean dB", "worst, steps")
    out.print(table(columns, rows, left=["model", "value"]))
    for part in parts:
        for node, bits in part["bits"].items():
            out.print(f"{part['source']}: {node}: {bits} bits", markup=False)
        share = part["zeros"] / part["weights"] if part["weights"] else 0.0
        states = ", ".join(part["states"]) or "none"
        out.print(
            f"{part['source']}: {part['calls']:,} calls, {part['weights']:,} weights "
            f"({share:.0%} zeros), {part['file_bytes']:,} bytes, states: {states}",
            markup=False,
        )
        if part["settled"]:
            out.print(
                f"{part['source']}: left out, as they are the same in every call: "
                f"{', '.join(part['settled'])}",
                markup=False,
            )
        if part["mean_calls"]:
            calls = part["mean_calls"]
            out.print(
                f"{part['source']}: means over all that was heard are the model's for {calls} "
                f"calls; from there on each call weighs 1/{calls}",
                markup=False,
            )


def _decibels(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f}"
