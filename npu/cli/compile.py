"""Write a compressed image for a chip, and say what it takes layer by layer."""

from __future__ import annotations

from pathlib import Path

import click

from compiler import load_model, reference
from npu.analysis.frame_energy import frame_energy
from npu.analysis.latency import Latency, latency_of
from npu.analysis.layers import compile_report
from npu.analysis.profile import measure
from npu.analysis.results import CompileReport
from npu.chip.summary import summary_text
from npu.cli._heard import program_for
from npu.cli._models import compile_for, files_of, first_run_notice, is_image, load_chip
from npu.cli._noise import calibration_report, show_noise
from npu.cli._options import chip_option, json_option, model_argument, signature_option
from npu.cli._output import console, emit_json, progress, require_place
from npu.cli._tables import energy_text, layer_table, memory_table, segment_table
from npu.errors import ModelError
from npu.files import require_place_of_folder, write_atomic, write_folder
from npu.runtime.header import BOOT, INVOKE, RESET
from npu.runtime.image import Image
from npu.runtime.raw import raw_files
from npu.speech.beam import MOST_PATHS, BeamRules


@click.command()
@model_argument
@click.option("-o", "--output", metavar="OUT.npu", required=True, help="The image to write.")
@chip_option
@click.option(
    "--raw",
    metavar="DIR",
    help="Write the bytes of external memory, the same for $readmemh, and a C header, too.",
)
@click.option(
    "--num-active-paths",
    "active_paths",
    type=click.IntRange(1, MOST_PATHS),
    metavar="N",
    help="A transducer for a beam of N hypotheses, with slots on the chip; its search runs on the "
    "host. Without it, the chip searches greedily by itself.",
)
@click.option(
    "--calibration-report",
    "calibrated",
    is_flag=True,
    help="Of a float MODEL: the noise of every value over the data that it was calibrated on.",
)
@signature_option
@json_option
def command(
    model: str,
    output: str,
    chip: str | None,
    raw: str | None,
    active_paths: int | None,
    calibrated: bool,
    signature: str | None,
    json_path: str | None,
) -> None:
    """Compile MODEL for a chip. The same model and chip give the same bytes."""
    require_place(output, json_path, inputs=files_of(model, chip))
    if raw is not None:
        require_place_of_folder(raw)
    if is_image(model):
        raise ModelError(f"{model}: is an image already; give the model that it was compiled from")
    params = load_chip(chip)
    loaded, program = load_model(model, signature), None
    noise = calibration_report(model, signature) if calibrated else None
    if active_paths is not None:
        reference.speech_of(loaded)
        program = program_for(loaded, BeamRules(active_paths))
    with first_run_notice():
        image = compile_for(loaded, params, program)
        with progress("measuring"):
            measurement = measure(image)
            latency = latency_of(image)
            energy = frame_energy(image, latency)
    content = image.to_bytes()
    files = {} if raw is None else raw_files(image, _cycles(image, latency))
    if raw is not None and Path(raw).is_dir():
        places = [Path(raw) / name for name in files]
        require_place(*places, output, json_path, inputs=files_of(model, chip))
    report = compile_report(image, measurement, energy, len(content))
    if noise is not None:
        report["calibration"] = noise
    if raw is not None:
        write_folder(raw, files)
    write_atomic(output, content)
    emit_json(report, json_path)
    _show(report, output, json_path)
    if noise is not None:
        show_noise(console(json_path), [noise], layers=True)
    for name, data in files.items():
        console(json_path).print(f"{Path(raw or '') / name}: {len(data):,} bytes", markup=False)


def _cycles(image: Image, latency: Latency) -> dict[str, int]:
    """By entry: of a start, and of a call where a start takes several."""
    found = {BOOT: latency.boot_cycles, RESET: latency.reset_cycles}
    info = image.header.transducer
    main = image.header.entry(INVOKE if info is None else info.hears)
    # A search of the host is many starts a frame, of several entries.
    if info is None or main.loop is not None:
        found[main.name] = int(latency.frame_cycles.max())
    return found


def _show(report: CompileReport, output: str, json_path: str | None) -> None:
    out = console(json_path)
    out.print(
        f"{output}: {report['image_bytes']:,} bytes, {report['model']} for "
        f"{summary_text(report['chip'])}",
        markup=False,
    )
    out.print(layer_table(report["layers"], report["total"]))
    out.print(memory_table(report["memory"]))
    out.print(segment_table(report["segments"]))
    out.print(
        f"boot {report['boot_cycles']:,} cycles, reset {report['reset_cycles']:,} cycles, "
        f"{report['commands']} commands"
    )
    out.print(energy_text(report["frame"]))
