"""Audio files to mono samples at the model's rate, block by block.

Any file that libsndfile decodes is accepted (WAV, FLAC and others, every sample format, 1 to 1024
channels); channels are averaged, and a file at another rate is resampled by soxr. A file is never
held whole except by `read_audio`: memory follows the block, not what a header claims.

soundfile and soxr are imported where they are used, so importing this module stays cheap.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from npu.errors import AudioError
from npu.speech.resample import MAX_RATE_HZ, MIN_RATE_HZ, Samples, require_rate, resampled

if TYPE_CHECKING:
    import soundfile

Note = Callable[[str], object]

MOST_CHANNELS = 1024
"""Of a file that libsndfile opens."""
PEAK_LIMIT = 256.0
"""Full scale is 1.0; float files may exceed it (headroom), but not by 48 dB."""

_BLOCK_VALUES = 1 << 18
# Sizes that a WAV or AIFF header holds where its writer could not come back to it, as it wrote to a
# pipe or was killed: sox 0x7ffff000 and 0x7f000008, arecord 0x80000000 less what fills no frame,
# ffmpeg 0xffffffff; others 0x7fffffff less their header. (And 0: see `_SizeUnknown`.)
_PLACEHOLDERS = (range(0x7F00_0000, 0x8000_0025), range(0xFFFF_0000, 0x1_0000_0000))
_UNKNOWN_FRAMES = (1 << 63) - 1
_MOST_CHUNKS = 1000
# Channels that have nothing in common keep 1/channels of their power in their mean.
_CANCELLED = 0.1

# libsndfile shortens what a WAV, AIFF, AU, W64 or RF64 header claims to what the file holds and
# says so only in its log.
_SHORTENED_BYTES = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE
)
_SHORTENED_FRAMES = re.compile(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)")


def _say_nothing(text: str) -> None:
    pass


def read_audio(path: str | Path) -> tuple[Samples, int]:
    """Read a whole file at its own rate.

    Returns
    -------
    samples : (n,) float64, n >= 1
        Mono, full scale [-1, 1): 16-bit samples are exactly int16 / 32768. Float files may exceed
        full scale.
    sample_rate_hz : int

    Raises
    ------
    AudioError
        The path is missing or no regular file; the file is not audio, damaged, cut short or
        empty; a sample is NaN, infinite or beyond `PEAK_LIMIT`; the rate is not within
        `MIN_RATE_HZ` .. `MAX_RATE_HZ`.
    """
    with _open(Path(path)) as file:
        blocks = _whole(path, file, mono_blocks(path, file, 1.0))
        return np.concatenate(list(blocks)), file.samplerate


def stream_audio(
    path: str | Path,
    sample_rate_hz: int,
    block_seconds: float = 1.0,
    *,
    channel: int | None = None,
    note: Note = _say_nothing,
) -> Iterator[Samples]:
    """Yield a file's mono samples at `sample_rate_hz`, a block at a time.

    The concatenated blocks do not depend on `block_seconds`. A file already at `sample_rate_hz`
    passes unchanged: 16-bit samples are exactly int16 / 32768.

    Parameters
    ----------
    path : str or Path
    sample_rate_hz : int
        `MIN_RATE_HZ` .. `MAX_RATE_HZ`.
    block_seconds : float
        Longest block, above 0. Files with many channels or high rates come in shorter ones.
    channel : int or None
        The channel to take, from 1; None takes the mean of all.
    note : callable
        Is told, in a sentence that begins with the path, what is odd about a file that can be read.

    Returns
    -------
    iterator of (n,) float64, n >= 1
        Full scale [-1, 1); resampling may overshoot it slightly.

    Raises
    ------
    AudioError
        As `read_audio`, while iterating; damage is found only when it is reached. The file has no
        such channel.
    ValueError
        For `sample_rate_hz` or `block_seconds` out of range.
    """
    require_rate("sample_rate_hz", sample_rate_hz)
    if not 0 < block_seconds < float("inf"):
        raise ValueError(f"block_seconds must be above 0 and finite, not {block_seconds!r}")
    if channel is not None and channel < 1:
        raise ValueError(f"channel must be at least 1, not {channel!r}")
    return _stream(Path(path), sample_rate_hz, block_seconds, channel, note)


def require_samples(path: str | Path, count: int, needed: int, sample_rate_hz: int) -> None:
    """Raise AudioError unless `count` samples fill one model call, which takes `needed`."""
    if count < needed:
        raise AudioError(
            f"{path}: too short for one model call: {count} samples ("
            f"{1000 * count / sample_rate_hz:.1f} ms at {sample_rate_hz} Hz), the first call needs "
            f"{needed} ({1000 * needed / sample_rate_hz:.1f} ms); give a longer recording"
        )


def _stream(
    path: Path, sample_rate_hz: int, block_seconds: float, channel: int | None, note: Note
) -> Iterator[Samples]:
    with _open(path, note) as file:
        require_channel(path, file, channel)
        blocks = _whole(path, file, mono_blocks(path, file, block_seconds, channel, note))
        if file.samplerate == sample_rate_hz:
            yield from blocks
        else:
            yield from resampled(blocks, file.samplerate, sample_rate_hz)


@contextmanager
def _open(path: Path, note: Note = _say_nothing) -> Iterator["soundfile.SoundFile"]:
    if path.is_dir():
        raise AudioError(f"{path}: is a folder; give one audio file (WAV or FLAC)")
    if not path.exists():
        raise AudioError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise AudioError(f"{path}: is not a regular file; save the audio as a WAV or FLAC file")
    if path.suffix.lower() == ".raw":
        raise AudioError(
            f"{path}: raw samples do not say their rate or format; convert them to WAV or FLAC"
        )
    try:
        with path.open("rb") as raw:
            head = raw.read(4096)
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened: {error.strerror}; check the file") from error
    if not head:
        raise AudioError(f"{path}: is empty (0 bytes); record or export it again")

    empty_at = _empty_data_chunk(path)
    with ExitStack() as files:
        # As bytes: soundfile would encode a name strictly, and a name need not be UTF-8.
        source: bytes | io.FileIO = os.fsencode(path)
        if empty_at is not None:
            source = files.enter_context(_SizeUnknown(path, empty_at))
        file = files.enter_context(_decoder(path, source, head))
        if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
            raise AudioError(
                f"{path}: the sample rate is {file.samplerate} Hz; it must be {MIN_RATE_HZ} to "
                f"{MAX_RATE_HZ} Hz; export the file again"
            )
        _check_claimed_length(path, file, note, in_header=None if empty_at is None else 0)
        yield file


def _decoder(path: Path, source: bytes | io.FileIO, head: bytes) -> "soundfile.SoundFile":
    """libsndfile on an open file; `head` are its first bytes."""
    import soundfile

    class Sequential(soundfile.SoundFile):
        """Without the seek after every read, which fails on FLAC of unknown length."""

        def seekable(self) -> bool:
            return False

    try:
        return Sequential(source)
    except soundfile.LibsndfileError as error:
        if _wav_rate(head) == 0:
            raise AudioError(
                f"{path}: the header gives a sample rate of 0 Hz; export the file again"
            ) from error
        reason = error.error_string.rstrip(".")
        raise AudioError(
            f"{path}: cannot be read as audio ({reason}); give a WAV or FLAC file"
        ) from error


def _wav_rate(head: bytes) -> int | None:
    at = head.find(b"fmt ")
    if head[:4] not in (b"RIFF", b"RF64") or at < 0 or len(head) < at + 16:
        return None
    return int.from_bytes(head[at + 12 : at + 16], "little")


class _SizeUnknown(io.FileIO):
    """A WAV file whose data chunk says that its size is unknown, instead of 0."""

    def __init__(self, path: Path, size_at: int) -> None:
        super().__init__(path)
        self._size_at = size_at

    def readinto(self, buffer: Any) -> int:
        start = self.tell()
        count = super().readinto(buffer) or 0
        view = memoryview(buffer).cast("B")
        for at in range(max(self._size_at, start), min(self._size_at + 4, start + count)):
            view[at - start] = 0xFF
        return count


def _empty_data_chunk(path: Path) -> int | None:
    """Where a WAV file's data chunk claims to be empty, though what follows are no chunks.

    A recorder that was killed leaves that behind. None for every other file.
    """
    with path.open("rb") as file:
        length = file.seek(0, io.SEEK_END)
        file.seek(0)
        if file.read(4) != b"RIFF":
            return None
        file.seek(12)
        empty_at = None
        for _ in range(_MOST_CHUNKS):
            at, head = file.tell(), file.read(8)
            name, size = head[:4], int.from_bytes(head[4:], "little")
            end = at + 8 + size + size % 2
            if not head or (name == b"data" and size):
                return None
            if len(head) < 8 or end > length or not all(0x20 <= byte < 0x7F for byte in name):
                return empty_at
            if name == b"data" and empty_at is None:
                empty_at = at + 4
            file.seek(end)
    return empty_at


def _check_claimed_length(
    path: Path, file: "soundfile.SoundFile", note: Note, in_header: int | None
) -> None:
    """`in_header`: the size that the header gives, where libsndfile was told another one."""
    log = file.extra_info
    claimed = held = 0
    unit = "bytes"
    if found := _SHORTENED_BYTES.search(log):
        claimed, held = int(found[1]), int(found[2])
    elif found := _SHORTENED_FRAMES.search(log):
        claimed, held, unit = int(found[2]), int(found[1]), "frames"
    if claimed <= held:
        return
    if not any(claimed in sizes for sizes in _PLACEHOLDERS):
        raise _truncated(path, claimed, held, unit)
    size = f"{claimed if in_header is None else in_header:#x}"
    note(
        f"{path}: the header does not know how long the sound is ({size}), as of a pipe or "
        f"a recorder that was stopped; read to the end of the file, {held} bytes"
    )


def _truncated(path: str | Path, claimed: int, held: int, unit: str) -> AudioError:
    return AudioError(
        f"{path}: is cut short: the header claims {claimed} {unit} of audio, the file holds "
        f"{held}; copy or export it again"
    )


def require_channel(name: str | Path, file: "soundfile.SoundFile", channel: int | None) -> None:
    """Raise AudioError for a channel, from 1, that a file has not."""
    if channel is not None and channel > file.channels:
        raise AudioError(
            f"{name}: has no channel {channel}, the last one is {file.channels}; give another "
            "--channel"
        )


def mono_blocks(
    name: str | Path,
    file: "soundfile.SoundFile",
    block_seconds: float,
    channel: int | None = None,
    note: Note = _say_nothing,
) -> Iterator[Samples]:
    """An open file's samples at its own rate, as `stream_audio` gives them."""
    import soundfile

    limit = max(1, _BLOCK_VALUES // file.channels)
    block_frames = max(1, int(min(block_seconds * file.samplerate, limit)))
    held = 0
    power = kept = 0.0
    while True:
        try:
            block = np.asarray(file.read(block_frames, "float64", always_2d=True), np.float64)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".")
            raise AudioError(
                f"{name}: is damaged after {held} frames ({reason}); copy or export it again"
            ) from error
        if not len(block):
            break
        _check_values(name, block, held)
        held += len(block)
        mono = block.mean(axis=1) if channel is None else block[:, channel - 1]
        power += float(np.square(block).sum()) / file.channels
        kept += float(np.square(mono).sum())
        yield mono
    if not held:
        raise AudioError(f"{name}: holds no samples; record or export it again")
    if channel is None and kept * file.channels < _CANCELLED * power:
        note(
            f"{name}: the {file.channels} channels cancel each other: {kept / power:.2%} of their "
            "power is left in their mean; hear one of them with --channel"
        )


def _whole(
    path: str | Path, file: "soundfile.SoundFile", blocks: Iterator[Samples]
) -> Iterator[Samples]:
    """Raises AudioError at the end, where the file held less than its header claims."""
    held = 0
    for block in blocks:
        held += len(block)
        yield block
    if held < file.frames < _UNKNOWN_FRAMES:
        raise _truncated(path, file.frames, held, "frames")


def _check_values(path: str | Path, block: Samples, first_frame: int) -> None:
    wrong = ~(np.abs(block) <= PEAK_LIMIT)
    if not wrong.any():
        return
    frame, channel = np.unravel_index(int(wrong.argmax()), block.shape)
    value = block[frame, channel]
    where = f"{path}: frame {first_frame + int(frame)}, channel {int(channel)} is {value:g}"
    if np.isfinite(value):
        raise AudioError(f"{where}; full scale is 1.0: divide the samples by their full scale")
    raise AudioError(f"{where}; samples must be finite: export the file again")
