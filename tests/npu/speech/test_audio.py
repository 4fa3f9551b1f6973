"""Files of every kind written here, read back; and every file that is refused, with its message."""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from npu.errors import AudioError
from npu.speech.audio import read_audio, require_samples, stream_audio
from npu.speech.resample import resample


def tone(rate: int, hz: float = 440.0, seconds: float = 1.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz / rate * np.arange(int(rate * seconds)))


def integers(count: int = 16_000, channels: int = 1, seed: int = 3) -> np.ndarray:
    values = np.random.default_rng(seed).integers(-32768, 32768, (count, channels), np.int16)
    values[0], values[1] = -32768, 32767
    return values


def wav(data: bytes, *, rate=16_000, channels=1, bits=16, code=1, claimed=None) -> bytes:
    """A WAV file by hand, so that its header can lie."""
    frame_bytes = channels * bits // 8
    rates = (rate, rate * frame_bytes & 0xFFFFFFFF)
    form = struct.pack("<HHIIHH", code, channels, *rates, frame_bytes, bits)
    size = len(data) if claimed is None else claimed
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(head) + len(data)) + head + data


def all_blocks(path: Path, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.concatenate(list(stream_audio(path, rate, seconds)))


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff", "w64", "rf64", "au"])
def test_16_bit_samples_are_exact(tmp_path, kind):
    values = integers()
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, values, 16_000, subtype="PCM_16")
    samples, rate = read_audio(path)
    assert rate == 16_000 and samples.dtype == np.float64
    assert np.array_equal(samples, values[:, 0] / 32768)
    assert np.array_equal(all_blocks(path, 16_000, 0.0371), samples)


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", 2**-7), ("PCM_24", 2**-23), ("PCM_32", 2**-31), ("FLOAT", 2**-24), ("DOUBLE", 0)],
)
def test_other_sample_formats_have_full_scale_one(tmp_path, subtype, tolerance):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(16_000), 16_000, subtype=subtype)
    samples, _ = read_audio(path)
    assert np.abs(samples - tone(16_000)).max() <= tolerance


@pytest.mark.parametrize("channels", [2, 3, 8])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_channels_are_averaged(tmp_path, channels, kind):
    values = integers(3000, channels)
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, values, 16_000, subtype="PCM_16")
    expected = values.astype(np.int64).sum(axis=1) / 32768 / channels
    np.testing.assert_allclose(all_blocks(path, 16_000), expected, rtol=1e-15, atol=1e-16)


def test_as_many_channels_as_the_format_takes(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(integers(1024 * 700).tobytes(), channels=1024))
    assert len(all_blocks(path, 16_000)) == 700


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_other_rates_are_resampled(tmp_path, rate):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.stack([tone(rate), tone(rate)], axis=1), rate)
    samples = all_blocks(path, 16_000, 0.05)
    assert len(samples) == 16_000
    inner = slice(800, -800)
    assert np.abs(samples - tone(16_000))[inner].max() < 2e-4
    own, own_rate = read_audio(path)
    assert (own_rate, len(own)) == (rate, rate)
    assert np.array_equal(resample(own, rate, 16_000), samples)


def test_resampling_removes_what_the_new_rate_cannot_hold():
    assert np.abs(resample(tone(44_100, hz=12_000), 44_100, 16_000)[800:-800]).max() < 1e-5


def test_resampling_to_the_same_rate_changes_nothing():
    samples = tone(16_000)
    assert np.array_equal(resample(samples, 16_000, 16_000), samples)


def test_resampling_almost_nothing_gives_almost_nothing():
    assert len(resample(np.zeros(1), 48_000, 16_000)) <= 1
    assert len(resample(np.empty(0), 48_000, 16_000)) == 0


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "a.wav"
    soundfile.write(path, integers(6000, 2), 44_100, subtype="PCM_16")
    return path


@given(seconds=st.floats(1e-4, 1.0))
def test_the_block_length_does_not_change_the_samples(recording, seconds):
    for rate in (16_000, 44_100):
        blocks = list(stream_audio(recording, rate, seconds))
        assert all(len(block) for block in blocks)
        assert np.array_equal(np.concatenate(blocks), all_blocks(recording, rate))


def test_a_long_file_is_streamed_in_little_memory(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav(bytes(2 * 8_000 * 1800), rate=8_000))
    tracemalloc.start()
    seconds = sum(len(block) for block in stream_audio(path, 16_000)) / 16_000
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds == 1800
    assert peak_bytes < 8 << 20


# sox, arecord, less than a frame more, a whole file's size, ffmpeg, killed before it was known.
@pytest.mark.parametrize(
    "claimed", [0x7FFFF000, 0x80000000, 0x7FFFFFFE, 0x7FFFFFDB, 0xFFFFFFFF, 0xFFFFFFD7, 0]
)
def test_a_pipe_wrote_a_wav_of_unknown_length(tmp_path, claimed):
    values, notes = integers(), []
    path = tmp_path / "a.wav"
    path.write_bytes(wav(values.tobytes(), claimed=claimed))
    assert np.array_equal(read_audio(path)[0], values[:, 0] / 32768)
    blocks = list(stream_audio(path, 16_000, 0.1, note=notes.append))
    assert np.array_equal(np.concatenate(blocks), values[:, 0] / 32768)
    assert [note.startswith(f"{path}: the header does not know how long") for note in notes] == [
        True
    ]
    assert f"({claimed:#x})" in notes[0]


@pytest.mark.parametrize("claimed", [None, 0])
def test_a_name_need_not_be_utf_8(tmp_path, claimed):
    path = tmp_path / os.fsdecode(b"a\xff.wav")
    values = integers()
    path.write_bytes(wav(values.tobytes(), claimed=claimed))
    assert np.array_equal(read_audio(path)[0], values[:, 0] / 32768)


def test_a_recorder_was_killed(tmp_path):
    """What libsndfile's own writer leaves behind, silence first: zeros are no chunks."""
    recorder = (
        "import os, sys, numpy, soundfile\n"
        "file = soundfile.SoundFile(sys.argv[1], 'w', 16_000, 1, 'PCM_16')\n"
        "file.write(numpy.zeros(16_000)), file.write(numpy.full(16_000, 0.5)), os._exit(1)"
    )
    path = tmp_path / "a.wav"
    subprocess.run([sys.executable, "-c", recorder, path], check=False)
    assert path.read_bytes()[40:44] == bytes(4)
    samples = read_audio(path)[0]
    assert len(samples) == 32_000 and np.all(samples[16_000:] == 0.5)


@pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")
@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "flac"])
@pytest.mark.parametrize("form", ["-b 16 -c 1", "-b 24 -c 2"])
def test_sox_writes_to_a_pipe(tmp_path, kind, form):
    path, other = tmp_path / f"a.{kind}", tmp_path / "b.wav"
    tune = "synth 0.5 sine 440"
    sox = f"sox -R -n -r 16000 {form} -D"
    subprocess.run(f"{sox} -t {kind} - {tune} 2>/dev/null | cat >{path}", shell=True, check=True)
    subprocess.run(f"{sox} {other} {tune}", shell=True, check=True)
    assert np.array_equal(read_audio(path)[0], read_audio(other)[0])


def test_one_channel_of_several(tmp_path):
    values = integers(3000, 3)
    path = tmp_path / "a.wav"
    soundfile.write(path, values, 16_000, subtype="PCM_16")
    for channel in (1, 2, 3):
        blocks = list(stream_audio(path, 16_000, 0.01, channel=channel))
        assert np.array_equal(np.concatenate(blocks), values[:, channel - 1] / 32768)
    with pytest.raises(AudioError, match=r"a\.wav: has no channel 4, the last one is 3"):
        next(stream_audio(path, 16_000, channel=4))


def test_channels_that_cancel_each_other_are_told(tmp_path):
    path = tmp_path / "a.wav"
    one, other = integers(16_000)[:, 0] / 65536, integers(16_000, seed=4)[:, 0] / 65536
    for channels, told in (
        ([one, -one], True),
        ([one, -0.9 * one], True),
        ([one, one], False),
        ([one, other], False),
        ([one, 0 * one], False),
        ([0 * one, 0 * one], False),
        ([one, other, -one, -other], True),
    ):
        notes = []
        soundfile.write(path, np.stack(channels, axis=1), 16_000, subtype="FLOAT")
        list(stream_audio(path, 16_000, note=notes.append))
        assert [f"the {len(channels)} channels cancel each other" in n for n in notes] == [1] * told
        list(stream_audio(path, 16_000, channel=1, note=notes.append))
        assert len(notes) == told


def test_a_pipe_wrote_a_flac_of_unknown_length(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, integers(), 16_000)
    claim_flac_frames(path, 0)
    assert np.array_equal(read_audio(path)[0], integers()[:, 0] / 32768)


def claim_flac_frames(path: Path, frames: int) -> None:
    data = bytearray(path.read_bytes())
    # STREAMINFO: 36 bits of total samples end at byte 26.
    data[21] = data[21] & 0xF0 | frames >> 32
    data[22:26] = (frames & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(data)


def refused(path: Path, message: str) -> None:
    for read in (read_audio, lambda p: list(stream_audio(p, 16_000))):
        tracemalloc.start()
        with pytest.raises(AudioError, match=message) as caught:
            read(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
        assert peak_bytes < 16 << 20


def test_a_missing_file(tmp_path):
    refused(tmp_path / "none.wav", "no such file; check the path")


def test_a_folder(tmp_path):
    refused(tmp_path, "is a folder; give one audio file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_a_named_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    refused(tmp_path / "a.wav", "is not a regular file; save the audio as a WAV or FLAC")


@pytest.fixture
def anybody():
    """A folder that all may enter, and for the time of the test a user who is not root."""
    user, nobody = os.geteuid(), 65534
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder), lambda: os.seteuid(user or nobody)
        os.seteuid(user)


def test_a_file_that_may_not_be_read(anybody):
    folder, become = anybody
    path = folder / "a.wav"
    path.write_bytes(wav(bytes(100)))
    path.chmod(0)
    become()
    refused(path, "cannot be opened: Permission denied; check the file")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\); record or export it again"),
        (b"hello " * 100, r"cannot be read as audio \(Format not recognised\); give a WAV or FLAC"),
        (wav(b"")[:20], r"cannot be read as audio \(.*fmt.*\); give a WAV or FLAC"),
        (wav(b""), "holds no samples; record or export it again"),
        (wav(bytes(200), rate=0), "the header gives a sample rate of 0 Hz; export the file again"),
        (wav(bytes(200), rate=1), "the sample rate is 1 Hz; it must be 1000 to 1000000 Hz"),
        (wav(bytes(200), rate=0x7FFFFFFF), "the sample rate is 2147483647 Hz; it must be 1000"),
        (wav(bytes(200), channels=0), r"cannot be read as audio \(Channel count is zero\)"),
        (wav(bytes(200), channels=9999), r"cannot be read as audio \(Too many channels"),
        (wav(bytes(200), bits=0), "cannot be read as audio"),
        (
            wav(bytes(200), claimed=32_000),
            "is cut short: the header claims 32000 bytes of audio, the file holds 200; copy or",
        ),
        (
            wav(bytes(200), claimed=0x90000000),
            "is cut short: the header claims 2415919104 bytes of audio, the file holds 200",
        ),
        # A chunk of nothing, and other chunks behind it: this file holds no sound.
        (wav(b"", claimed=0) + b"LIST\x04\0\0\0INFO", "holds no samples"),
    ],
)
def test_a_wav_that_holds_no_usable_sound(tmp_path, content, message):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    refused(path, message)


def test_raw_samples(tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(bytes(200))
    refused(path, "raw samples do not say their rate or format; convert them to WAV or FLAC")


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff", "w64", "rf64", "au", "caf"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_file_cut_short(tmp_path, kind, part):
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, integers(), 16_000, subtype="PCM_16")
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    refused(path, "is cut short: the header claims|is damaged after|cannot be read as audio")


def test_a_flac_that_claims_half_a_terabyte(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, integers(), 16_000)
    claim_flac_frames(path, 2**36 - 1)
    refused(path, "is cut short: the header claims 68719476735 frames .*, the file holds 16000")


def test_a_flac_damaged_inside(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, integers(60_000), 16_000)
    data = bytearray(path.read_bytes())
    data[60_000:60_100] = b"\xaa" * 100
    path.write_bytes(data)
    refused(path, r"is damaged after \d+ frames \(.*\); copy or export it again")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "frame 20001, channel 1 is nan; samples must be finite: export the file again"),
        (np.inf, "frame 20001, channel 1 is inf; samples must be finite"),
        (-np.inf, "frame 20001, channel 1 is -inf; samples must be finite"),
        (20000.0, "frame 20001, channel 1 is 20000; full scale is 1.0: divide the samples"),
        (1e300, r"frame 20001, channel 1 is 1e\+300; full scale is 1.0"),
    ],
)
def test_floats_that_are_no_sound(tmp_path, value, message):
    path = tmp_path / "a.wav"
    samples = np.zeros((30_000, 2))
    samples[20_001, 1] = value
    soundfile.write(path, samples, 8_000, subtype="DOUBLE")
    refused(path, message)


def test_floats_may_exceed_full_scale(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, 4 * tone(16_000), 16_000, subtype="DOUBLE")
    assert np.array_equal(read_audio(path)[0], 4 * tone(16_000))


def test_too_short_for_one_call():
    require_samples("a.wav", 1200, 1200, 16_000)
    message = (
        r"a\.wav: too short for one model call: 1199 samples \(74\.9 ms at 16000 Hz\), the first "
        r"call needs 1200 \(75\.0 ms\); give a longer recording"
    )
    with pytest.raises(AudioError, match=message):
        require_samples("a.wav", 1199, 1200, 16_000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stream_audio("a", 0), "sample_rate_hz must be 1000 to 1000000, not 0"),
        (lambda: stream_audio("a", 16_000, 0.0), "block_seconds must be above 0 and finite, not 0"),
        (
            lambda: stream_audio("a", 16_000, float("nan")),
            "block_seconds must be above 0 and finite, not nan",
        ),
        (lambda: stream_audio("a", 16_000, channel=0), "channel must be at least 1, not 0"),
        (lambda: resample(np.zeros(1), 999, 16_000), "from_hz must be 1000 to 1000000, not 999"),
        (lambda: resample(np.zeros(1), 16_000, 0), "to_hz must be 1000 to 1000000, not 0"),
    ],
)
def test_parameters_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_importing_loads_neither_decoder_nor_resampler():
    code = "import sys, npu.speech.audio; print({'soundfile', 'soxr'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "set()"
