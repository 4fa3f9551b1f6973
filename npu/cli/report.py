"""A model on a chip as a page: where cycles, bytes and bits go, as figures and tables in one file.

The page opens without a network, in the light, in the dark, on a phone and on paper. Cycles are
those of the chip, from events: as `npu latency`.
"""

from __future__ import annotations

from importlib.util import find_spec

import click

from npu.analysis.frames import DEFAULT_FRAMES, DEFAULT_SYMBOLS
from npu.analysis.utterance import SoundFrames
from npu.chip.summary import summary_text
from npu.cli._frames import ear_of, opened
from npu.cli._models import files_of, first_run_notice
from npu.cli._options import chip_option, model_argument, signature_option
from npu.cli._output import console, progress, require_place
from npu.errors import InputError, NpuError
from npu.files import write_atomic
from npu.model.config import MAX_SYMBOLS_PER_FRAME
from npu.runtime.calls import MOST_CALLS

_SECTIONS = 6


@click.command()
@model_argument
@chip_option
@click.option("--audio", metavar="FILE", help="The frames of a sound, for a transducer.")
@click.option(
    "--frames",
    type=click.IntRange(1, MOST_CALLS),
    metavar="N",
    help=f"Frames (calls) without a sound; {DEFAULT_FRAMES} unless said otherwise.",
)
@click.option(
    "--symbols",
    type=click.IntRange(0, MAX_SYMBOLS_PER_FRAME),
    metavar="N",
    help="Symbols that a frame without a sound emits, where a transducer searches on the chip; "
    f"{DEFAULT_SYMBOLS} unless said otherwise.",
)
@signature_option
@click.option("-o", "--output", metavar="OUT.html", required=True, help="The page to write.")
def command(
    model: str,
    chip: str | None,
    audio: str | None,
    frames: int | None,
    symbols: int | None,
    signature: str | None,
    output: str,
) -> None:
    """Write what MODEL takes on a chip, and what limits it, as one HTML file."""
    require_place(output, inputs=files_of(model, chip, audio))
    if audio is not None and (frames is not None or symbols is not None):
        raise InputError("--audio brings its own frames: leave --frames and --symbols out")
    for tool in ("jinja2", "matplotlib"):
        if find_spec(tool) is None:
            raise NpuError(
                f"{tool}, which the page needs, is not installed; install the extra: "
                "pip install 'zeroskip[reports]'"
            )
    from reports.model_page.content import content_of_frames, content_of_sound
    from reports.model_page.page import page

    with first_run_notice():
        loaded, image = opened(model, chip, signature)
        if audio is not None:
            ear = ear_of(loaded, image)
            with progress("listening"):
                sound = SoundFrames.hear(image, ear.speech, ear.engine, audio)
            with progress("running"):
                content = content_of_sound(loaded, image, sound, audio, ear.decided)
        else:
            count = DEFAULT_FRAMES if frames is None else frames
            with progress("running"):
                content = content_of_frames(loaded, image, count, symbols)
        with progress("drawing", total=_SECTIONS) as advance:
            text = page(content, advance)
    write_atomic(output, text.encode())
    chip_text = summary_text(content.latency["chip"])
    console().print(
        f"{output}: {len(text.encode()):,} bytes, {content.latency['model']} on {chip_text}, "
        f"{content.latency['frames']} frames; open it in a browser"
    )
