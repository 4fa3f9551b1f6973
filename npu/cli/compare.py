"""Models on several chips, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from rich.console import Console

from compiler import Model, compile_model, load_model
from npu.analysis.comparison import compare_report, on_chip
from npu.analysis.layers import layer_label, tiles_text
from npu.analysis.results_beside import ComparedModel, CompareReport, LayerTiles, OnChipReport
from npu.chip.params import ChipParams
from npu.cli._models import files_of, first_run_notice, is_image, load_chip
from npu.cli._options import complete_chip, complete_model, json_option, set_option
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.cli._tables import STAY
from npu.errors import CapacityError, ModelError, NpuError, UnsupportedError
from npu.runtime.image import Image

FEWEST_CHIPS = 2
REFUSED = "refused"

ROWS: dict[str, Callable[[Any], str]] = {
    "cycles": "{:,.0f}".format,
    "ms": "{:.4f}".format,
    "boot_ms": "{:.4f}".format,
    "energy_uj": "{:,.2f}".format,
    "listening_uw": "{:,.1f}".format,
    "bytes_moved": "{:,.0f}".format,
    "image_bytes": "{:,}".format,
    "bank_full": "{:.1%}".format,
    "run_utilisation": "{:.2%}".format,
}


@click.command()
@click.argument(
    "models", nargs=-1, required=True, metavar="MODEL...", shell_complete=complete_model
)
@click.option(
    "--chip",
    "chips",
    metavar="CHIP",
    multiple=True,
    required=True,
    shell_complete=complete_chip,
    help="At least two: tiny, edge, max or a TOML file, each with overrides: edge,lanes=32.",
)
@set_option
@json_option
def command(models: tuple[str, ...], chips: tuple[str, ...], json_path: str | None) -> int:
    """Compile MODELs for several chips, run each once on the twin, and show them side by side.

    What differs from the first chip has its ratio behind it. A model that a chip refuses is shown
    with the reason. `--set` holds for all chips.
    """
    require_place(json_path, inputs=files_of(None, *models, *chips))
    if len(chips) < FEWEST_CHIPS:
        raise click.UsageError("one chip is nothing to compare; give --chip twice or more")
    for name in models:
        if is_image(name):
            raise ModelError(f"{name}: is compiled for one chip already; give its model")
    params = [(chip, load_chip(chip)) for chip in chips]
    loaded = [load_model(model) for model in models]
    steps = len(loaded) * len(params)
    with first_run_notice(), progress("comparing", total=steps) as advance:
        compared: list[ComparedModel] = []
        for model in loaded:
            found = []
            for name, chip in params:
                found.append(on_chip(name, _compiled(model, chip)))
                advance(1)
            compared.append({"model": model.name, "chips": found})
    report = compare_report(params, compared)
    emit_json(report, json_path)
    _show(report, console(json_path))
    return 0


def _compiled(model: Model, chip: ChipParams) -> Image | NpuError:
    try:
        return compile_model(model, chip)
    except (UnsupportedError, CapacityError) as error:
        return error


def _show(report: CompareReport, out: Console) -> None:
    columns = ("", *report["chips"])
    if report["parameters"]:
        rows = [
            (name, *(f"{v:,}" if isinstance(v, (int, float)) else str(v) for v in values))
            for name, values in report["parameters"].items()
        ]
        out.print(table(columns, rows, title="the chips differ in"))
    else:
        out.print("the chips do not differ")
    for model in report["models"]:
        chips = model["chips"]
        tiles = [{layer["name"]: layer for layer in chip.get("layers", ())} for chip in chips]
        rows = [
            (name, *_cells(name, show, chips))
            for name, show in ROWS.items()
            if any(name in chip for chip in chips)
        ]
        rows.append((STAY, *(_stay(of, of) or REFUSED for of in tiles)))
        out.print(table(columns, rows, title=model["model"]))
        if any(layer["streamed_bytes"] for of in tiles for layer in of.values()):
            names = list(dict.fromkeys(name for of in tiles for name in of))
            rows = [(layer_label(name), *(_stay(of, [name]) for of in tiles)) for name in names]
            out.print(table(columns, rows, title=f"{STAY}, {model['model']}"))
        for chip in chips:
            if "refused" in chip:
                out.print(f"{chip['chip']} refuses {model['model']}: {chip['refused']}")


def _stay(layers: Mapping[str, LayerTiles], names: Iterable[str]) -> str:
    """How many tiles of some matrices stay on a chip; nothing of those that it does not have.

    A chip may have a matrix twice, where its vectors lie in two ways, which others need not.
    """
    of = [layers[name] for name in names if name in layers]
    if not of:
        return ""
    return tiles_text(sum(each["resident_tiles"] for each in of), sum(each["tiles"] for each in of))


def _cells(name: str, show: Callable[[Any], str], chips: list[OnChipReport]) -> list[str]:
    """A figure on every chip; behind what differs from the first one that has it, the ratio."""
    figures = [chip.get(name) for chip in chips]
    first = next((figure for figure in figures if figure is not None), None)
    cells = []
    for figure in figures:
        if figure is None:
            cells.append(REFUSED)
        elif figure == first or not isinstance(first, (int, float)) or not first:
            cells.append(show(figure))
        else:
            cells.append(f"{show(figure)} ({figure / first:.2f}x)")  # type: ignore[operator]
    return cells
