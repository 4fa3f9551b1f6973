"""Many models on many chips, on all cores or a Dask cluster; the points that no other one beats.

A spec says which points. They are kept: a sweep that was interrupted goes on where it stopped, and
one with other grids works out only what is new.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from npu.cli._extras import require_extra
from npu.cli._options import json_option
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.files import write_atomic
from npu.sweep.kept import users_folder

if TYPE_CHECKING:
    from npu.sweep.run import Done

RUN = "run"
FAILED = 1
SUFFIX = ".sweep"


class SpecOrCommand(click.Group):
    """Where no subcommand is named, `run` is meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [RUN, *args]
        return super().parse_args(ctx, args)


@click.group(cls=SpecOrCommand, subcommand_metavar="SPEC.toml [OPTIONS] | show FOLDER [OPTIONS]")
def command() -> None:
    """Work out what models cost on many chips, and show which are worth a look.

    A spec is a TOML file: models, and grids of a chip's parameters, of sparsity and of bits.
    """


cache_option = click.option(
    "--cache",
    metavar="FOLDER",
    help="Where points and images are kept from sweep to sweep; your cache unless said otherwise.",
)


@command.command(RUN)
@click.argument("spec", metavar="SPEC.toml")
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    help="Of the results, Parquet files; the spec's name with .sweep unless said otherwise.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Processes on this machine; as many as it has cores unless said otherwise.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="A Dask scheduler that runs; its workers must see models and cache at the same paths.",
)
@cache_option
@json_option
def run(
    spec: str,
    output: str | None,
    workers: int | None,
    scheduler: str | None,
    cache: str | None,
    json_path: str | None,
) -> int:
    """Work out the points of SPEC.toml.

    Run again after an interruption, it goes on. A point that fails is a row with the reason; the
    exit status is 1 where all of them failed.
    """
    require_extra("sweep", "npu sweep", "distributed", "pyarrow")
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers is of a cluster on this machine: leave --scheduler out")
    require_place(json_path, inputs=[spec])
    from npu.sweep.run import Where, sweep
    from npu.sweep.spec import read_spec

    points = read_spec(spec)
    folder = Path(output) if output is not None else Path(Path(spec).name).with_suffix(SUFFIX)
    kept = Path(cache).absolute() if cache is not None else users_folder()
    where = Where(scheduler, workers or os.cpu_count() or 1)
    with progress(f"sweeping over {len(points)} points", total=len(points)) as advance:
        done = sweep(points, folder, kept, where, advance)
    emit_json({"folder": str(folder), **vars(done)}, json_path)
    console(json_path).print(_summary(done, folder, where.workers if scheduler is None else None))
    return FAILED if done.failed == done.points else 0


def _summary(done: Done, folder: Path, workers: int | None) -> str:
    by = "the scheduler's workers" if workers is None else f"{workers} workers"
    return (
        f"{folder}: {done.points:,} points, {done.known:,} of them known before; "
        f"{done.computed:,} worked out in {done.seconds:.1f} s by {by}, "
        f"{done.compiled:,} compiled; {done.failed:,} failed"
    )


@command.command()
@click.argument("folder")
@click.option("--plot", metavar="FILE.svg", help="Draw latency against memory.")
@click.option("--html", metavar="FILE.html", help="Picture and table as one page.")
@json_option
def show(folder: str, plot: str | None, html: str | None, json_path: str | None) -> None:
    """Show the points of FOLDER that no other one beats in latency, energy, area and memory.

    FOLDER is what `npu sweep` has written, or is writing.
    """
    require_extra("sweep", "npu sweep", "pyarrow")
    if plot is not None or html is not None:
        require_extra("sweep", "a picture", "matplotlib", "jinja2")
    require_place(plot, html, json_path)
    from npu.sweep.folder import read_rows
    from npu.sweep.front import front
    from npu.sweep.page import failures, front_table, note, page, summary
    from npu.sweep.pictures import svg

    rows = read_rows(folder)
    if plot is not None:
        write_atomic(plot, svg(rows).encode())
    if html is not None:
        write_atomic(html, page(rows, Path(folder).resolve().name).encode())
    emit_json({"points": rows, "front": [row["key"] for row in front(rows)]}, json_path)
    out = console(json_path)
    heads, cells = front_table(rows)
    if cells:
        out.print(table(heads, cells))
    out.print(summary(rows))
    if (said := note(rows)) is not None:
        out.print(said)
    for count, reason in failures(rows):
        out.print(f"failed: {count} x {reason}")
