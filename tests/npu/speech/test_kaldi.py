"""Kaldi's fbank against kaldi-native-fbank, itself in other chunks, and in a folder."""

import json
from pathlib import Path

import kaldi_native_fbank
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import npu as product
from compiler import load_model
from compiler.reference import speech_of
from npu.model.kaldi_frontend import LOUDNESS_MEAN, LOUDNESS_STEP, SLANEY_MEAN, SLANEY_STEP
from npu.speech.audio import stream_audio
from npu.speech.kaldi import KaldiExtractor
from tests.kaldi_frontends import KALDI_FRONTEND, kaldi_frontend
from tests.trained_transducers import random_trained, written

SCALE, ZERO_POINT = 0.15, 20
UTTERANCES = Path(product.__file__).parent / "zoo" / "commands_rnnt" / "utterances"


class Unrounded(KaldiExtractor):
    """The features before they are quantised."""

    seen: list[np.ndarray]

    def _quantised(self, features):
        self.seen.append(features)
        return super()._quantised(features)


def ours(config, samples, frames=1):
    extractor = Unrounded(config, SCALE, ZERO_POINT, frames)
    extractor.seen = []
    calls = extractor.accept(samples)
    return np.concatenate(extractor.seen), calls


def library(config, samples, chunk=None):
    """(frames, bins) float32 by kaldi-native-fbank's online extractor; its end is not mirrored."""
    options = kaldi_native_fbank.FbankOptions()
    frame, mel = options.frame_opts, options.mel_opts
    frame.samp_freq, frame.dither = config.sample_rate_hz, 0.0
    frame.frame_length_ms, frame.frame_shift_ms = config.frame_length_ms, config.frame_shift_ms
    frame.preemph_coeff, frame.remove_dc_offset = config.preemphasis, config.remove_dc_offset
    frame.window_type, frame.snip_edges = config.window, config.snip_edges
    mel.num_bins, mel.low_freq, mel.high_freq = config.bins, config.low_hz, config.high_hz
    mel.is_librosa = config.mel == "slaney"
    options.use_energy = config.use_energy
    fbank = kaldi_native_fbank.OnlineFbank(options)
    scaled = (samples * config.full_scale).astype(np.float32)
    for start in range(0, len(scaled), chunk or len(scaled)):
        fbank.accept_waveform(
            config.sample_rate_hz, scaled[start : start + (chunk or len(scaled))].tolist()
        )
    return np.array([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])


def sounds(rate=16000):
    rng = np.random.default_rng(5)
    seconds = np.arange(rate) / rate
    tones = {f"tone {hz}": 0.5 * np.sin(2 * np.pi * hz * seconds) for hz in (50, 440, 3000)}
    noises = {f"noise {peak:g}": rng.uniform(-peak, peak, rate) for peak in (1e-4, 0.3, 1.0)}
    offset = {"offset": 0.4 + rng.normal(0, 0.01, rate), "silence": np.zeros(rate)}
    # As a file holds them: float32 of 16 bits.
    return {k: np.round(v * 32768) / 32768 for k, v in (tones | noises | offset).items()}


NEMOS = {"mel": "slaney", "window": "hann", "low_hz": 0.0, "high_hz": 8000.0} | {
    "remove_dc_offset": False
}
OPTIONS = [
    {},
    {"samples": "int16"},
    {"snip_edges": True, "window": "hamming"},
    {"remove_dc_offset": False, "preemphasis": 0.0, "window": "hanning"},
    {"bins": 23, "high_hz": 0.0, "window": "rectangular"},
    {"sample_rate_hz": 8000, "bins": 40, "high_hz": 3700.0},
    {"frame_length_ms": 32.0, "frame_shift_ms": 8.0, "low_hz": 0.0},
    NEMOS | {"bins": 80},
]


@pytest.mark.parametrize("chunk", [None, 777])
@pytest.mark.parametrize("changes", OPTIONS, ids=str)
def test_equals_kaldi_native_fbank(changes, chunk):
    config = kaldi_frontend(**changes)
    for name, samples in sounds(config.sample_rate_hz).items():
        features, calls = ours(config, samples)
        expected = library(config, samples, chunk)
        assert features.shape == expected.shape, name
        far = np.abs(features - expected)
        steps = np.clip(np.rint(expected / np.float32(SCALE)) + ZERO_POINT, -128, 127)
        off = np.abs(calls.reshape(steps.shape) - steps)
        print(f"{changes} {name}: {far.max():.2g}, {off.max():g} steps, {(off > 0).mean():.2g}")
        # Beside a tone the energy of a bin is cancellation, of which float32 has little.
        near, few = (1e-2, 0.03) if name.startswith("tone") else (1e-3, 1e-3)
        assert far.max() < near, name
        assert off.max() <= 1, name
        assert (off > 0).mean() < few, name


@given(
    cuts=st.lists(st.integers(0, 5000), max_size=30),
    snip=st.booleans(),
    stack=st.integers(1, 3),
    call_hop=st.integers(1, 5),
    shift_ms=st.sampled_from([4.0, 10.0, 40.0]),
)
def test_any_chunking_gives_the_same_bits(cuts, snip, stack, call_hop, shift_ms):
    config = kaldi_frontend(
        snip_edges=snip, stack=stack, call_hop=call_hop, frame_shift_ms=shift_ms, bins=6
    )
    samples = np.random.default_rng(1).uniform(-0.3, 0.3, 5000)
    whole = KaldiExtractor(config, SCALE, ZERO_POINT, 5).accept(samples)
    front = KaldiExtractor(config, SCALE, ZERO_POINT, 5)
    chunks = np.split(samples, sorted(cuts))
    assert np.array_equal(np.concatenate([front.accept(chunk) for chunk in chunks]), whole)


def test_calls_overlap_as_sherpas_do():
    """45 frames, 32 further each time: 13 are heard twice."""
    config, samples = kaldi_frontend(call_hop=32), sounds()["noise 0.3"]
    front = KaldiExtractor(config, SCALE, ZERO_POINT, 45)
    assert (front.first_call_samples, front.samples_per_call) == (44 * 160 + 400 - 120, 32 * 160)
    calls = front.accept(samples)
    each = KaldiExtractor(config, SCALE, ZERO_POINT, 1).accept(samples)[:, 0]
    assert len(calls) == 2
    assert np.array_equal(calls[0], each[:45])
    assert np.array_equal(calls[1], each[32:77])


def test_a_call_comes_with_its_last_sample_and_reset_begins_anew():
    front, samples = KaldiExtractor(kaldi_frontend(), SCALE, 0, 1), sounds()["noise 0.3"]
    assert len(front.accept(samples[:279])) == 0
    first = front.accept(samples[279:280])
    assert len(first) == 1
    front.accept(samples[:1000])
    front.reset()
    assert np.array_equal(front.accept(samples[:280]), first)


@pytest.mark.parametrize(
    ("changes", "mean", "step"),
    [({}, LOUDNESS_MEAN, LOUDNESS_STEP), (NEMOS, SLANEY_MEAN, SLANEY_STEP)],
    ids=["kaldi", "slaney"],
)
def test_loudness_is_that_of_the_zoos_features(changes, mean, step):
    zoo = speech_of(load_model("commands_rnnt"))
    config = kaldi_frontend(snip_edges=True, stack=3, stack_hop=3, call_hop=2, **changes)
    assert config.loudness == (mean, step)
    known, found = [], []
    for path in sorted(UTTERANCES.glob("*.wav")):
        samples = np.concatenate(list(stream_audio(path, 16000)))
        calls = KaldiExtractor(config, SCALE, 60, 2).accept(samples)
        found.append(SCALE * (calls.mean(axis=(1, 2)) - 60))
        known.append(
            zoo.scale * (zoo.extractor().accept(samples).mean(axis=(1, 2)) - zoo.zero_point)
        )
    fitted = np.polyfit(np.concatenate(known), np.concatenate(found), 1)
    assert fitted == pytest.approx((step, mean), abs=0.01)


@pytest.mark.parametrize("samples", ["float in -1..1", "int16"])
def test_transcribe_and_listen_take_such_a_folder(npu, tmp_path, samples):
    written(random_trained(3, True), tmp_path / "m")
    file = tmp_path / "m" / "model.json"
    content = json.loads(file.read_text())
    content["frontend"] = KALDI_FRONTEND | {"bins": 12, "samples": samples}
    file.write_text(json.dumps(content))
    speech = speech_of(load_model(tmp_path / "m"))
    assert isinstance(speech.extractor(), KaldiExtractor)
    assert speech.seconds_per_call == 0.01
    sound = np.concatenate([np.zeros(8000), sounds()["noise 0.3"], np.zeros(16000)])
    soundfile.write(tmp_path / "a.wav", sound, 16000)
    for command in ("transcribe", "listen"):
        ran = npu(command, tmp_path / "m", tmp_path / "a.wav")
        assert ran.status == 0, ran.err
