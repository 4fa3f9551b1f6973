"""The chip as Verilog, with its register map, a file list and a FuseSoC core."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from npu.cli._chips import file_of, load_chip
from npu.cli._models import rtl_module
from npu.cli._options import (
    chip_default_option,
    clock_gating_option,
    complete_model,
    crossing_option,
    protect_option,
    ram_pins_option,
    reset_option,
)
from npu.cli._output import console, require_place, say
from npu.errors import NpuError
from rtl.shared.options import Options, Protection, reset_of

DEFAULT_CHIP = "tiny"


@click.group()
def command() -> None:
    """The chip in gates."""


@command.command()
@click.option("-o", "--output", metavar="DIR", required=True, help="The folder to write.")
@click.option(
    "--model",
    metavar="MODEL",
    shell_complete=complete_model,
    help="The graph (.tflite) that the bench runs; a small one of the zoo unless said otherwise.",
)
@chip_default_option(DEFAULT_CHIP)
@protect_option
@reset_option
@crossing_option
@ram_pins_option
@clock_gating_option
def export(
    output: str,
    chip: str,
    model: str | None,
    protect: Protection,
    reset: str,
    crossing: bool,
    ram_pins: tuple[int, int],
    clock_gating: bool,
) -> None:
    """Write plain Verilog and what a hardware engineer needs to use it.

    The same chip gives the same bytes. Files of these names in DIR are replaced, others are left
    alone; nothing is changed before all of them are complete.
    """
    params = load_chip(chip)
    options = Options(
        protection=protect,
        reset=reset_of(reset),
        crossing=crossing,
        ram_pins=ram_pins,
        clock_gating=clock_gating,
    )
    target = _require_place(output)
    write = rtl_module("rtl.export").export
    example = rtl_module("npu.api.example").example_of(params, model)
    say(f"generating Verilog of {params.name} ...")
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as staged:
            root = Path(staged) / target.name
            made = [path.relative_to(root) for path in write(params, root, example, options)]
            require_place(
                *(target / path for path in made if target.is_dir()),
                inputs=[file_of(chip), model],
            )
            if target.is_dir():
                for path in made:
                    (target / path).parent.mkdir(exist_ok=True)
                    os.replace(root / path, target / path)
            else:
                os.rename(root, target)
    except OSError as error:
        raise NpuError(f"cannot write {output}: {error.strerror or error}") from error
    out = console()
    for path in made:
        size = (target / path).stat().st_size
        out.print(f"{Path(output) / path}: {size:,} bytes", markup=False)


def _require_place(output: str) -> Path:
    target = Path(os.path.realpath(output))
    if target.exists() and not target.is_dir():
        raise NpuError(f"cannot write {output}: it is a file; name a folder")
    if not target.parent.is_dir():
        raise NpuError(
            f"cannot write {output}: the folder {target.parent} does not exist; create it"
        )
    return target
