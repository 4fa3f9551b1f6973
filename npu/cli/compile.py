"""Write a compressed image for a chip, and say what it takes layer by layer."""

from __future__ import annotations

from typing import Any

import click

from compiler import load_model
from npu.analysis.profile import Measurement, measure
from npu.cli._layers import (
    layer_report,
    layer_table,
    memory_report,
    memory_table,
    segment_report,
    segment_table,
    totals,
)
from npu.cli._models import (
    chip_option,
    compile_for,
    files_of,
    first_run_notice,
    is_image,
    json_option,
    load_chip,
)
from npu.cli._output import console, emit_json, require_place, write_atomic
from npu.errors import ModelError
from npu.runtime.image import Image


@click.command()
@click.argument("model")
@click.option("-o", "--output", metavar="OUT.npu", required=True, help="The image to write.")
@chip_option
@json_option
def command(model: str, output: str, chip: str | None, json_path: str | None) -> None:
    """Compile MODEL for a chip. The same model and chip give the same bytes."""
    require_place(output, json_path, inputs=files_of(model, chip))
    if is_image(model):
        raise ModelError(f"{model}: is an image already; give the model that it was compiled from")
    params = load_chip(chip)
    loaded = load_model(model)
    with first_run_notice():
        image = compile_for(loaded, params)
        measurement = measure(image)
    content = image.to_bytes()
    report = _report(image, measurement, len(content))
    write_atomic(output, content)
    emit_json(report, json_path)
    _show(report, output, json_path)


def _report(image: Image, measurement: Measurement, image_bytes: int) -> dict[str, Any]:
    header, params = image.header, image.params
    return {
        "model": header.model,
        "kind": header.kind,
        "chip": {"name": params.name, "clock_mhz": params.clock_mhz, "lanes": params.lanes},
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
    }


def _show(report: dict[str, Any], output: str, json_path: str | None) -> None:
    out, chip = console(json_path), report["chip"]
    out.print(
        f"{output}: {report['image_bytes']:,} bytes, {report['model']} for {chip['name']} "
        f"({chip['lanes']} lanes, {chip['clock_mhz']:g} MHz)",
        markup=False,
    )
    out.print(layer_table(report["layers"], report["total"]))
    out.print(memory_table(report["memory"]))
    out.print(segment_table(report["segments"]))
    out.print(
        f"boot {report['boot_cycles']:,} cycles, reset {report['reset_cycles']:,} cycles, "
        f"{report['commands']} commands"
    )
