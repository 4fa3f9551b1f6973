"""Sound from a pipe or a file in, text while it comes.

What is heard is printed when it changes, and once more when its phrase has ended. Of a sound
without an end no more is kept than its open phrase, and of a chip the cycles of each call.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

import click

from npu.analysis.memory import peak_memory_mib
from npu.analysis.streaming import Answer, OnChip, heard_report, transcribe_report
from npu.cli._decoding import Decoding, decoding_options
from npu.cli._ending import ending_options
from npu.cli._heard import (
    channel_option,
    engine_of,
    show_chip,
)
from npu.cli._lattices import LatticeFolder, labels_option, with_lattice
from npu.cli._lazy import INTERRUPTED
from npu.cli._models import first_run_notice
from npu.cli._options import chip_option, engine_choice, max_cycles_option, model_argument
from npu.cli._output import STDOUT, console, say
from npu.errors import AudioError, InputError
from npu.speech.audio import MOST_CHANNELS, stream_audio
from npu.speech.ends import Ending
from npu.speech.listen import Event, Kind, Listening
from npu.speech.pipe import BLOCK_SECONDS, Raw, stream_pipe
from npu.speech.resample import MAX_RATE_HZ, MIN_RATE_HZ, Samples
from npu.speech.stream import Stream
from npu.speech.transcribe import Heard

TOO_LATE = 1
STDIN = "-"
UNTIL = {Kind.PARTIAL: "...", Kind.SPECULATIVE: "{:.2f}?", Kind.FINAL: "{:.2f}"}


@click.command()
@model_argument
@click.argument("sound", metavar="FILE|-")
@click.option(
    "--raw",
    "raw_hz",
    type=click.IntRange(MIN_RATE_HZ, MAX_RATE_HZ),
    metavar="RATE",
    help="The sound has no header: 16-bit little-endian samples at RATE hertz.",
)
@click.option(
    "--channels",
    type=click.IntRange(1, MOST_CHANNELS),
    metavar="N",
    help="Of raw samples, interleaved; 1 without it.",
)
@channel_option
@engine_choice("kernels")
@chip_option
@ending_options(early=True)
@decoding_options
@max_cycles_option
@click.option(
    "--lattice",
    "lattice_place",
    metavar="FOLDER/",
    help="Write what a beam holds for possible, of each phrase when it has ended, for OpenFst.",
)
@labels_option
@click.option("--json-lines", is_flag=True, help="Print a JSON object a line instead.")
def command(
    model: str,
    sound: str,
    raw_hz: int | None,
    channels: int | None,
    channel: int | None,
    engine: str,
    chip: str | None,
    ending: Ending,
    decoding: Decoding,
    max_cycles: int | None,
    lattice_place: str | None,
    lattice_labels: int | None,
    json_lines: bool,
) -> int:
    """Transcribe a sound with a transducer MODEL while it comes: a file, or "-" for a pipe.

    A pipe brings a WAV file, as of "arecord -t wav", or raw samples with --raw. Interrupted, the
    command tells the last phrase and ends. Exit status 1 where the chip is too late.
    """
    if channels is not None and raw_hz is None:
        raise InputError("--channels is of raw samples; a header says its own: give --raw RATE too")
    raw = None if raw_hz is None else Raw(raw_hz, channels or 1)
    wanted = lattice_place is not None
    decoding = with_lattice(decoding, wanted, lattice_labels, texts=json_lines)
    folder = None if lattice_place is None else LatticeFolder(lattice_place, _name(sound))
    speech, runner, params = engine_of(model, engine, chip, max_cycles, decoding)
    rule = speech.rule(ending)
    stream = Stream(speech, runner, rule, name=_name(sound))
    listening, began = Listening(stream, decoding.min_score), time.perf_counter()
    show = partial(_show, json_lines=json_lines, folder=folder)
    with first_run_notice(), _interrupts() as came:
        for rate_hz, block in _blocks(sound, speech.rate, raw, channel, lambda: bool(came)):
            show(listening.accept(rate_hz, block))
            if came:
                break
        try:
            show(listening.finish())
        except AudioError:
            # Of an interrupt before there was any sound there is nothing to tell.
            if not came:
                raise
    if came:
        return INTERRUPTED
    if params is None or not isinstance(runner, OnChip):
        return 0
    heard = Heard([], [], stream.samples, stream.calls, time.perf_counter() - began)
    answer = Answer(_name(sound), heard, runner.use())
    report = transcribe_report([answer], speech, engine, params, peak_memory_mib())
    show_chip(report, console(STDOUT if json_lines else None))
    return 0 if report["in_time"] else TOO_LATE


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Those that came: what was begun is done, and the sound is over. A second one ends all."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def _name(sound: str) -> str:
    return "standard input" if sound == STDIN else sound


def _blocks(
    sound: str,
    rate_hz: int,
    raw: Raw | None,
    channel: int | None,
    is_over: Callable[[], bool],
) -> Iterator[tuple[int, Samples]]:
    """Rates and samples, as they come."""

    def note(text: str) -> None:
        say(f"note: {text}")

    if sound == STDIN:
        if os.isatty(0):
            raise InputError(
                "standard input is a terminal; pipe sound into it: arecord -f S16_LE -r "
                f"{rate_hz} -t wav | npu listen MODEL -"
            )
        yield from stream_pipe(0, _name(sound), raw, channel=channel, note=note, is_over=is_over)
    elif raw is not None or Path(sound).is_fifo():
        with open(sound, "rb", buffering=0) as file:
            yield from stream_pipe(
                file.fileno(), sound, raw, channel=channel, note=note, is_over=is_over
            )
    else:
        blocks = stream_audio(sound, rate_hz, BLOCK_SECONDS, channel=channel, note=note)
        yield from ((rate_hz, block) for block in blocks)


def _show(events: Iterator[Event], *, json_lines: bool, folder: LatticeFolder | None) -> None:
    """Print events as they come; whoever reads them gets each at once, and finds its lattice."""
    for event in events:
        if folder is not None:
            folder.tell(event)
        if json_lines:
            sys.stdout.write(json.dumps(heard_report(event)) + "\n")
        else:
            spoken = event.spoken
            until = UNTIL[event.kind].format(spoken.end)
            back = " (take back what was begun)" if event.resets else ""
            console().print(f"[{spoken.start:.2f} - {until}] {spoken.text}{back}")
        sys.stdout.flush()
