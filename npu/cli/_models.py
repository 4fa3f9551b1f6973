"""What the commands share: from a MODEL and a chip to something that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numba.core import event

from compiler import Model, compile_model, load_model, model_files
from compiler.programs import Program
from npu.chip.machine import MachineFactory
from npu.chip.params import ChipParams
from npu.cli._chips import file_of, load_chip, overrides
from npu.cli._output import progress, say
from npu.errors import ImageError, ModelError, NpuError
from npu.runtime.image import Image
from npu.twin.machine import Machine
from rtl.shared.options import PLAIN, Options

IMAGE_SUFFIX = ".npu"

__all__ = [
    "cells_of",
    "compile_for",
    "files_of",
    "first_run_notice",
    "is_image",
    "load_chip",
    "machine_of",
    "open_image",
    "refuse_signature",
    "rtl_module",
]


def files_of(model: str | None = None, *others: str | None) -> list[Path]:
    """Every file that a command reads, for `require_place`: those of MODEL, and `others`.

    `others` may be chips with overrides, too.
    """
    files = [] if model is None else model_files(model)
    return [*files, *(Path(file) for other in others if (file := file_of(other)) is not None)]


def is_image(model: str) -> bool:
    """Whether MODEL is a compiled image, by its suffix."""
    return Path(model).suffix == IMAGE_SUFFIX


def refuse_image(model: str, instead: str) -> None:
    """Kernels run no compiled image. Raises ModelError that names what they take `instead`."""
    if is_image(model):
        raise ModelError(
            f"{model}: --engine kernels needs the model, not its compiled image; give the "
            f"{instead}, or take --engine twin"
        )


def compile_for(model: Model, params: ChipParams, program: Program | None = None) -> Image:
    """Compile with a progress bar; `program` as `compile_model` takes it."""
    with progress(f"compiling {model.name} for {params.name}", total=3) as advance:
        return compile_model(model, params, lambda text: advance(1), program)


def refuse_signature(model: str, signature: str | None) -> None:
    """Raise ImageError for a signature of an image, which was compiled from one."""
    if signature is not None:
        raise ImageError(
            f"{model}: an image holds one signature; leave --signature out, or compile the model "
            "again with it"
        )


def open_image(model: str, chip: str | None, signature: str | None = None) -> Image:
    """MODEL as an image: read, or compiled for `--chip`.

    Raises ImageError when an image was compiled for another chip than the one asked for.
    """
    if not is_image(model):
        params = load_chip(chip)
        return compile_for(load_model(model, signature), params)
    refuse_signature(model, signature)
    image = Image.load(Path(model))
    if chip is None and overrides():
        raise ImageError(
            f"{model}: was compiled for one chip, {image.params.name!r}; leave --set out, or "
            "compile the model with it"
        )
    if chip is not None and (wanted := load_chip(chip)) != image.params:
        raise ImageError(
            f"{model}: compiled for a chip {image.params.name!r} that differs from --chip {chip} "
            f"({wanted.name!r}); leave --chip out, or compile the model again"
        )
    return image


def rtl_module(name: str, *needs: str) -> Any:
    """The module `name` of the RTL, which needs the extra `rtl`.

    Raises NpuError where Amaranth or one of `needs` is not installed.
    """
    for tool in ("amaranth", *needs):
        if find_spec(tool) is None:
            raise NpuError(
                f"{tool}, which the RTL needs, is not installed; install the extra: "
                "pip install 'zeroskip[rtl]'"
            )
    return import_module(name)


def machine_of(
    engine: str,
    waves: Path | None = None,
    driver: str = "python",
    options: Options = PLAIN,
    port: str | None = None,
) -> MachineFactory:
    """What makes the machine of `--engine` twin or rtl, the netlist's, or a board's at `port`.

    `driver`: what works the RTL, "python" or "c", the driver for bare metal. It is built with
    `options`, of which the twin knows nothing. RTL and netlist say when they have to be built.
    Raises NpuError where their tools are missing.
    """
    if engine == "netlist":
        netlist = _netlist_module()
        return partial(netlist.NetlistMachine, progress=lambda line: say(f"{line} ..."))
    if engine == "board":
        return partial(import_module("rtl.platforms.machine").BoardMachine, port=port)
    if engine != "rtl":
        return Machine
    if driver == "c":
        made = rtl_module("rtl.sim.c_machine", "verilator").CMachine
    else:
        made = rtl_module("rtl.sim.machine", "verilator").RtlMachine
    return partial(made, waves=waves, progress=lambda line: say(f"{line} ..."), options=options)


def cells_of(params: ChipParams) -> dict[str, int]:
    """How many cells of each kind the netlist of a chip has; it is made where it is not there."""
    netlist = _netlist_module().chip_netlist(params, progress=lambda line: say(f"{line} ..."))
    return dict(netlist.cells)


def _netlist_module() -> Any:
    """The room of the netlist. Raises NpuError where a tool that it needs is missing."""
    netlist = rtl_module("rtl.netlist", "verilator")
    netlist.require_tools()
    return netlist


@contextmanager
def first_run_notice() -> Iterator[None]:
    """One line on stderr when numba has to compile, which it does once per machine."""

    class Notice(event.Listener):
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told:
                self.told = True
                say("compiling the simulator to machine code (first run only) ...")

        def on_end(self, event: Any) -> None:
            pass

    notice = Notice()
    event.register("numba:compile", notice)
    try:
        yield
    finally:
        event.unregister("numba:compile", notice)
