"""A model on a chip as a page: where cycles, bytes and bits go, as figures and tables in one file.

The page opens without a network, in the light, in the dark, on a phone and on paper. Cycles are
those of the chip, from events: as `npu latency`.
"""

from __future__ import annotations

from importlib.util import find_spec

import click

from npu.analysis.frames import DEFAULT_FRAMES
from npu.chip.summary import summary_text
from npu.cli._decoding import Decoding, decoding_options
from npu.cli._frames import ear_of, frame_options, opened, require_one_source, require_sound
from npu.cli._heard import program_for
from npu.cli._lattices import with_lattice
from npu.cli._models import files_of, first_run_notice
from npu.cli._options import chip_option, model_argument, signature_option
from npu.cli._output import console, progress, require_place
from npu.errors import NpuError
from npu.files import write_atomic
from npu.speech.ends import COMMANDS
from npu.speech.listen import events_of
from npu.speech.stream import Stream

_SECTIONS = 8


@click.command()
@model_argument
@chip_option
@frame_options("frame", "Frames (calls)")
@decoding_options
@signature_option
@click.option("-o", "--output", metavar="OUT.html", required=True, help="The page to write.")
def command(
    model: str,
    chip: str | None,
    audio: str | None,
    frames: int | None,
    symbols: int | None,
    decoding: Decoding,
    signature: str | None,
    output: str,
) -> None:
    """Write what MODEL takes on a chip, and what limits it, as one HTML file.

    Of a sound that is heard with a beam, the page draws the lattices of its phrases.
    """
    require_place(output, inputs=files_of(model, chip, audio, decoding.hotwords_file))
    require_one_source("frame", audio, frames, symbols)
    require_sound(decoding, audio)
    decoding = with_lattice(decoding, decoding.beam is not None, None)
    for tool in ("jinja2", "matplotlib"):
        if find_spec(tool) is None:
            raise NpuError(
                f"{tool}, which the page needs, is not installed; install the extra: "
                "pip install 'zeroskip[reports]'"
            )
    from reports.model_page.content import content_of_frames, content_of_sound
    from reports.model_page.page import page

    with first_run_notice():
        loaded, image = opened(model, chip, signature, decoding)
        if audio is not None:
            ear = ear_of(loaded, image, decoding)
            with progress("listening"):
                sound = ear.hear(audio)
            with progress("running"):
                stream = Stream(ear.speech, ear.engine, ear.speech.rule(COMMANDS))
                events = list(events_of(stream, audio, decoding.min_score))
                program = None
                if loaded is not None and decoding.beam is not None:
                    program = program_for(loaded, decoding.beam)
                content = content_of_sound(
                    loaded, image, sound, audio, ear.decided, events, program
                )
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
