"""The smallest chip that holds a model and meets a deadline, as TOML."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from compiler import load_model
from npu.chip.descriptions import plain_name
from npu.chip.params import ChipParams
from npu.cli._models import first_run_notice, is_image, load_chip
from npu.cli._options import chip_option, model_argument, signature_option
from npu.cli._output import progress
from npu.errors import ImageError
from npu.model.config import MAX_SYMBOLS_PER_FRAME
from npu.sweep.compute import Results
from npu.sweep.fit import Fit, Search, evaluation
from npu.sweep.kept import users_folder
from npu.sweep.toml import chip_toml

KIB = 1024
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Duration(click.ParamType):
    """A time with its unit, as milliseconds."""

    name = "TIME"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(us|ms|s)", str(value))
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no time; give it with its unit, as 1ms or 500us", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


@click.command()
@model_argument
@click.option(
    "--deadline",
    type=Duration(),
    metavar="TIME",
    required=True,
    help="Of the slowest frame, as 1ms or 500us.",
)
@chip_option
@click.option(
    "--symbols",
    type=click.IntRange(0, MAX_SYMBOLS_PER_FRAME),
    metavar="N",
    help="Symbols that a frame emits, as npu latency takes them.",
)
@signature_option
@click.option("--cache", metavar="FOLDER", help="Where points are kept, as npu sweep has it.")
def command(
    model: str,
    deadline: float,
    chip: str | None,
    symbols: int | None,
    signature: str | None,
    cache: str | None,
) -> None:
    """Search for the smallest chip that holds MODEL and meets a deadline, and print it as TOML.

    A frame is a call of a graph, or an encoder call of a transducer with its symbols. Lanes,
    memories, and the widths of bus and vector unit are searched; clock, threads and the external
    memory's timing are those of --chip. What was tried is kept, as of npu sweep.
    """
    if is_image(model):
        raise ImageError(f"{model}: is compiled for one chip; give the model it was compiled from")
    base = load_chip(chip)
    loaded = load_model(model, signature)
    folder = Path(cache).absolute() if cache is not None else users_folder()
    place = str(Path(model).resolve()) if Path(model).exists() else model
    with first_run_notice(), progress(f"looking for a chip for {loaded.name}") as advance:
        costs = evaluation(
            place, loaded.name, loaded.sources, folder, symbols=symbols, signature=signature
        )

        def evaluate(params: ChipParams) -> Results:
            advance(1)
            return costs(params)

        search = Search(base, deadline, evaluate)
        fit = search.run()
    params = fit.params.model_copy(update={"name": plain_name(f"{Path(model).stem} fit")})
    sys.stdout.write(chip_toml(params, _said(loaded.name, deadline, fit, search.tried)))


def _said(model: str, deadline: float, fit: Fit, tried: int) -> str:
    params, found = fit.params, fit.results
    took = found["latency_ms"] or 0.0
    share = found["resident_share"]
    weights = "no weights" if share is None else f"{share:.0%} of the weights' bytes stay in banks"
    cycles, memory = found["latency_cycles"], (found["on_chip_bytes"] or 0) / KIB
    spare = f"{1 - took / deadline:.1%} less than that"
    estimates = f"area {fit.area_mm2:.3f} mm2, energy of a frame {found['energy_uj']:.2f} uJ"
    lines = (
        f"The smallest of {tried} chips that were tried and run {model} in {deadline:g} ms.",
        f"A frame takes {took:.4f} ms, {spare}: {cycles:,} cycles at {params.clock_mhz:g} MHz;",
        f"it is bound by {found['bound_by']}; {weights}; {found['decided']}.",
        f"Memory on the chip {memory:,.1f} KiB; estimates: {estimates}.",
    )
    return "\n".join(lines)
