"""`python -m rtl.cocotb IMAGE.npu`: an image on the exported Verilog, with waveforms on demand."""

import sys
import tempfile
from pathlib import Path

import click

from npu.errors import NpuError
from rtl.cocotb.runner import SIMULATORS, run


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--input", "inputs", type=click.Path(path_type=Path), help="IN.npz; default random.")
@click.option("--calls", type=click.IntRange(1, 100_000), default=1, show_default=True)
@click.option("--sim", type=click.Choice(list(SIMULATORS)), default="icarus", show_default=True)
@click.option("--waves", type=click.Path(path_type=Path), help="Write everything and waves there.")
def main(image: Path, inputs: Path | None, calls: int, sim: str, waves: Path | None) -> None:
    """Run IMAGE (a .npu file) on its chip's Verilog and compare it with the twin.

    Without --waves, everything goes to a new folder in build/cocotb, waveforms only if the run
    fails.
    """
    folder = waves or new_folder(image)
    try:
        result = run(
            image,
            folder,
            inputs=inputs,
            calls=calls,
            simulator=sim,
            waves=waves is not None,
            progress=lambda line: click.echo(line, err=True),
        )
    except (NpuError, OSError) as error:
        if waves is None and not any(folder.iterdir()):
            folder.rmdir()
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    said = result.log.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(said):
        if "AssertionError: " in line:
            # With both records, a line each.
            click.echo("\n".join(part.strip() for part in said[index : index + 3]))
            break
        if line.endswith("equal to the twin"):
            click.echo(line.split("  ")[-1])
    click.echo(f"image {result.image[:16]}")
    click.echo(f"{'equal to the twin' if result.passed else 'DIFFERS from the twin'}: {result.log}")
    if result.waves is not None:
        click.echo(f"waves: {result.waves}")
    sys.exit(not result.passed)


def new_folder(image: Path) -> Path:
    """A folder that no other run has or had."""
    parent = Path("build") / "cocotb"
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{image.stem[:60]}-", dir=parent))


if __name__ == "__main__":
    main()
