"""Sound as it comes out of a pipe: with a header that libsndfile knows, or raw samples."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from typing import Any

import numpy as np

from npu.errors import AudioError
from npu.speech.audio import MOST_CHANNELS, Note, mono_blocks, require_channel
from npu.speech.resample import MAX_RATE_HZ, MIN_RATE_HZ, Samples

BLOCK_SECONDS = 0.02
HEADERS = {
    b"RIFF": "WAV",
    b"RF64": "WAV",
    b"riff": "W64",
    b"fLaC": "FLAC",
    b"OggS": "OGG",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"NIST": "NIST",
}
"""How files begin, and whose header that is. Samples are these four bytes once in 2**32 times."""

_ASK_SECONDS = 0.1
_AHEAD = 64
"""Blocks that are read before they are wanted; then the writer waits."""


@dataclass(frozen=True)
class Raw:
    """Samples without a header: 16-bit, little-endian, channels interleaved."""

    rate_hz: int
    channels: int = 1


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def stream_pipe(
    descriptor: int,
    name: str,
    raw: Raw | None = None,
    *,
    channel: int | None = None,
    note: Note = lambda text: None,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[int, Samples]]:
    """Yield sample rate and mono samples, (n,) float64 with full scale [-1, 1), as they come.

    What a header says of the length does not count: who writes to a pipe does not know it.

    Parameters
    ----------
    descriptor : of the pipe or file, which stays open.
    name : for errors.
    raw : how samples lie that have no header. None: there is one.
    channel : the one to take, from 1; None takes the mean of all.
    note : is told what is odd about the sound.
    is_over : is asked while nothing comes whether to wait no longer.

    Raises AudioError for what libsndfile cannot read from a pipe (FLAC and MP3, among others), for
    raw samples that are one of HEADERS, a rate or channel out of range, damage, and for no sound at
    all.
    """
    if raw is not None and not (
        MIN_RATE_HZ <= raw.rate_hz <= MAX_RATE_HZ and 1 <= raw.channels <= MOST_CHANNELS
    ):
        raise AudioError(
            f"{name}: raw samples must have a rate of {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz and 1 to "
            f"{MOST_CHANNELS} channels, not {raw.rate_hz} Hz and {raw.channels}"
        )
    # What waits for a writer inside libsndfile cannot be interrupted; what waits for a queue can.
    return _from_thread(lambda: _blocks(descriptor, name, raw, channel, note), is_over)


def _blocks(
    descriptor: int, name: str, raw: Raw | None, channel: int | None, note: Note
) -> Iterator[tuple[int, Samples]]:
    import soundfile

    class Sequential(soundfile.SoundFile):
        """Without the seek after every read."""

        def seekable(self) -> bool:
            return False

    how: dict[str, Any] = {"closefd": False}
    if raw is not None:
        how |= {"samplerate": raw.rate_hz, "channels": raw.channels}
        how |= {"format": "RAW", "subtype": "PCM_16", "endian": "LITTLE"}
    try:
        file = Sequential(descriptor, **how)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise AudioError(
            f"{name}: cannot be read as audio from a pipe ({reason}); write a WAV header, or say "
            "the rate of raw 16-bit samples with --raw RATE"
        ) from error
    with file:
        if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
            raise AudioError(
                f"{name}: the sample rate is {file.samplerate} Hz; it must be {MIN_RATE_HZ} to "
                f"{MAX_RATE_HZ} Hz"
            )
        require_channel(name, file, channel)
        if raw is not None:
            _require_no_header(name, file)
        for block in mono_blocks(name, file, BLOCK_SECONDS, channel, note):
            yield file.samplerate, block


def _require_no_header(name: str, file: Any) -> None:
    """Have the first samples looked at when they are read: a pipe cannot be read twice."""
    read = file.read

    def first(*args: Any, **options: Any) -> Any:
        file.read = read
        block = read(*args, **options)
        begin = np.rint(32_768 * block.reshape(-1)[:2]).astype("<i2").tobytes()
        if begin in HEADERS:
            raise AudioError(
                f"{name}: begins with the header of {HEADERS[begin]}, which would be heard as "
                "samples; leave --raw out, it says its own rate"
            )
        return block

    file.read = first


def _from_thread(
    begin: Callable[[], Iterator[tuple[int, Samples]]], is_over: Callable[[], bool]
) -> Iterator[tuple[int, Samples]]:
    """What an iterator gives that runs in a thread; whoever waits for it can be interrupted."""
    queue: Queue[tuple[int, Samples] | _End] = Queue(_AHEAD)

    def run() -> None:
        error = None
        try:
            for item in begin():
                queue.put(item)
        except BaseException as caught:
            error = caught
        queue.put(_End(error))

    threading.Thread(target=run, daemon=True).start()
    while not is_over():
        with suppress(Empty):
            item = queue.get(timeout=_ASK_SECONDS)
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return
