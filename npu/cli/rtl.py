"""The chip as Verilog, with its register map, a file list and a FuseSoC core."""

from __future__ import annotations

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
from npu.files import require_place_of_folder, staged_folder
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
    alone; nothing is changed before all of them are complete. zeroskip.xml needs the extra `views`:
    without it there is none, and one of an export before is removed.
    """
    params = load_chip(chip)
    options = Options(
        protection=protect,
        reset=reset_of(reset),
        crossing=crossing,
        ram_pins=ram_pins,
        clock_gating=clock_gating,
    )
    target = require_place_of_folder(output)
    write = rtl_module("rtl.export").export
    example = rtl_module("npu.api.example").example_of(params, model)
    say(f"generating Verilog of {params.name} ...")
    left_out = rtl_module("rtl.views").left_out()
    with staged_folder(output) as root:
        made = [path.relative_to(root) for path in write(params, root, example, options)]
        stale = [path for name in left_out if (path := target / name).is_file()]
        places = [path for name in made if (path := target / name).parent.is_dir()]
        require_place(*places, *stale, inputs=[file_of(chip), model])
    _remove(stale)
    for name in left_out:
        gone = "; that of an export before is removed" * any(path.name == name for path in stale)
        say(f"note: {name} is not written{gone}; install the extra: pip install 'zeroskip[views]'")
    out = console()
    for path in made:
        size = (target / path).stat().st_size
        out.print(f"{Path(output) / path}: {size:,} bytes", markup=False)


def _remove(stale: list[Path]) -> None:
    """Remove what an export before has left and this one has not: it would not be this chip's."""
    for path in stale:
        try:
            path.unlink()
        except OSError as error:
            raise NpuError(f"cannot remove {path}: {error.strerror or error}") from error
