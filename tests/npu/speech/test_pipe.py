"""Pipes: what recorders write comes as it is, at once, and what is no sound is told."""

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
import soundfile

from npu.errors import AudioError
from npu.speech.pipe import BLOCK_SECONDS, Raw, stream_pipe

RATE = 16_000
LIMIT_S = 60


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    return rng.integers(-9_000, 9_000, 7_777, np.int16)


def through(data: bytes, raw=None, **options):
    """All rates and samples that come out of a pipe into which `data` is written."""
    reader, writer = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(writer, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        blocks = list(stream_pipe(reader, "pipe", raw, **options))
    finally:
        os.close(reader)
        thread.join(LIMIT_S)
    return {rate for rate, _ in blocks}, np.concatenate([block for _, block in blocks])


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_16"), ("WAVEX", "PCM_24"), ("WAV", "FLOAT"), ("AU", "PCM_16")],
)
def test_headers_are_read(samples, tmp_path, kind, subtype):
    soundfile.write(tmp_path / "a", samples / 32_768, RATE, format=kind, subtype=subtype)
    rates, heard = through((tmp_path / "a").read_bytes())
    assert rates == {RATE} and np.array_equal(heard, samples / 32_768)


@pytest.mark.parametrize("kind", ["WAV", "RF64", "W64", "FLAC", "OGG", "AIFF", "CAF", "AU", "NIST"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_header_is_no_raw_sound(samples, tmp_path, kind, channels):
    soundfile.write(tmp_path / "a", samples / 32_768, RATE, format=kind)
    with pytest.raises(AudioError, match=f"header of {kind.replace('RF64', 'WAV')}.*leave --raw"):
        through((tmp_path / "a").read_bytes(), Raw(RATE, channels))
    data = samples.astype("<i2").tobytes() + b"RIFF"
    _, heard = through(data, Raw(RATE))
    assert len(heard) == len(samples) + 2


@pytest.mark.parametrize("size", [0x8000_0000, 0x7FFF_F000, 0xFFFF_FFFF])
def test_a_length_that_nobody_knew_does_not_count(samples, tmp_path, size):
    """As arecord, sox and ffmpeg write it to a pipe."""
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = size.to_bytes(4, "little")
    data[4:8] = min(size + 36, 0xFFFF_FFFF).to_bytes(4, "little")
    _, heard = through(bytes(data))
    assert np.array_equal(heard, samples / 32_768)


def test_sox_writes_to_the_pipe(samples, tmp_path):
    if shutil.which("sox") is None:
        pytest.skip("sox is not installed (sudo apt-get install sox)")
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    for kind, raw in (("wav", None), ("au", None), ("s16", Raw(RATE))):
        done = subprocess.run(
            ["sox", "-V1", tmp_path / "a.wav", "-t", kind, "-"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=LIMIT_S,
        )
        rates, heard = through(done.stdout, raw)
        assert rates == {RATE} and np.array_equal(heard, samples / 32_768)


def test_raw_samples(samples):
    _, heard = through(samples.tobytes(), Raw(8_000))
    assert np.array_equal(heard, samples / 32_768)
    both = np.stack([samples, -samples // 2], axis=1)
    _, mean = through(both.tobytes(), Raw(8_000, 2))
    assert np.allclose(mean, both.mean(1) / 32_768)
    _, second = through(both.tobytes(), Raw(8_000, 2), channel=2)
    assert np.array_equal(second, both[:, 1] / 32_768)
    # Half a sample at the end is none.
    _, heard = through(samples.tobytes()[:-1], Raw(8_000))
    assert np.array_equal(heard, samples[:-1] / 32_768)


def test_samples_come_as_they_are_written(samples):
    """The writer waits: what it has written is there before more comes."""
    reader, writer = os.pipe()
    count = round(BLOCK_SECONDS * RATE)
    blocks = stream_pipe(reader, "pipe", Raw(RATE))
    with os.fdopen(writer, "wb", buffering=0) as pipe:
        for n in range(3):
            pipe.write(samples[n * count : (n + 1) * count].tobytes())
            _, block = next(blocks)
            assert np.array_equal(block, samples[n * count : (n + 1) * count] / 32_768)
    assert list(blocks) == []
    os.close(reader)


def test_who_waits_can_be_interrupted():
    """A pipe into which nobody writes."""
    code = (
        "import os, signal, threading\n"
        "from npu.speech.pipe import Raw, stream_pipe\n"
        "reader, writer = os.pipe()\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    next(stream_pipe(reader, 'pipe', Raw(16000)))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.stdout == "interrupted\n", done.stderr
    assert time.monotonic() - begun < LIMIT_S


@pytest.mark.parametrize(
    ("data", "raw", "match"),
    [
        (b"", None, "cannot be read as audio from a pipe"),
        (b"no sound at all, but words" * 20, None, "--raw RATE"),
        (b"RIFF\0\0\0\0WAVE", None, "cannot be read as audio from a pipe"),
        (b"", Raw(16_000), "holds no samples"),
        (b"ab", Raw(10), "a rate of 1000 to 1000000 Hz"),
        (b"ab", Raw(16_000, 0), "1 to 1024 channels"),
    ],
)
def test_what_is_no_sound(data, raw, match):
    with pytest.raises(AudioError, match=match):
        through(data, raw)


def test_a_channel_that_is_not_there(samples):
    with pytest.raises(AudioError, match="has no channel 3, the last one is 2"):
        through(samples[:100].tobytes(), Raw(8_000, 2), channel=3)
