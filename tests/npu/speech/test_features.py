"""The front end against recorded features, a naive model of it, and itself in other chunks."""

import json
from pathlib import Path

import numpy as np
import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st

import npu
from npu.model.config import FrontendConfig, ModelConfig, load_model_config
from npu.speech.audio import stream_audio
from npu.speech.features import FeatureExtractor, hz_to_mel, mel_filters, mel_to_hz

MODEL = Path(npu.__file__).parent / "zoo" / "commands_rnnt"
UTTERANCES = sorted((MODEL / "utterances").glob("*.npz"))
SCALE, ZERO_POINT = 0.019105641171336174, -60


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    return load_model_config(MODEL / "model.json")


def frontend(**changes) -> FrontendConfig:
    content = json.loads((MODEL / "model.json").read_text())["frontend"]
    bins = changes.pop("bins", content["mel"]["bins"])
    content["mel"] |= {"bins": bins, "high_hz": changes.pop("high_hz", 7600)}
    content |= {"mean": content["mean"][:bins], "std": content["std"][:bins]} | changes
    return FrontendConfig.model_validate_json(json.dumps(content))


def extractor(config: FrontendConfig, frames_per_call: int = 2) -> FeatureExtractor:
    return FeatureExtractor(config, SCALE, ZERO_POINT, frames_per_call)


def noise(count: int, seed: int = 1, peak: float = 0.3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-peak, peak, count)


def naive(config: FrontendConfig, samples: np.ndarray, frames_per_call: int) -> np.ndarray:
    """The quantised features before rounding: one loop per sentence of model.json."""
    emphasised = [
        s - config.preemphasis * samples[i - 1] if i else s for i, s in enumerate(samples)
    ]
    n = np.arange(config.window_length)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / (config.window_length - 1))
    k = np.arange(config.fft_length // 2 + 1)
    dft = np.exp(-2j * np.pi * np.outer(k, n) / config.fft_length)
    mels = [2595 * np.log10(1 + hz / 700) for hz in (config.mel.low_hz, config.mel.high_hz)]
    step = (mels[1] - mels[0]) / (config.mel.bins + 1)
    edges = [700 * (10 ** ((mels[0] + i * step) / 2595) - 1) for i in range(config.mel.bins + 2)]
    frames = []
    start = 0
    while start + config.window_length <= len(samples):
        spectrum = dft @ (window * emphasised[start : start + config.window_length])
        power = np.abs(spectrum) ** 2 / sum(window) ** 2
        frame = []
        for low, peak, high in zip(edges, edges[1:], edges[2:], strict=False):
            total = 0.0
            for b in k:
                hz = b * config.sample_rate_hz / config.fft_length
                if low < hz <= peak:
                    total += power[b] * (hz - low) / (peak - low)
                elif peak < hz < high:
                    total += power[b] * (high - hz) / (high - peak)
            frame.append(np.log(total + 1e-8))
        frames.append(np.clip((np.array(frame) - config.mean) / config.std, -4, 4))
        start += config.hop_length
    stacked = []
    while len(stacked) * config.stack_hop + config.stack <= len(frames):
        at = len(stacked) * config.stack_hop
        stacked.append(np.concatenate(frames[at : at + config.stack]))
    calls = len(stacked) // frames_per_call
    shape = (calls, frames_per_call, config.stack * config.mel.bins)
    unrounded = np.array(stacked[: calls * frames_per_call]) / SCALE + ZERO_POINT
    return np.clip(unrounded, -128, 127).reshape(shape)


def test_recorded_features_are_reproduced_in_every_element(config):
    tensor = (
        tflite.Model.GetRootAsModel((MODEL / config.encoder.file).read_bytes(), 0)
        .Subgraphs(0)
        .Tensors(0)
        .Quantization()
    )
    front = FeatureExtractor(
        config.frontend, tensor.Scale(0), tensor.ZeroPoint(0), config.encoder.frames_per_call
    )
    elements = different = 0
    for path in UTTERANCES:
        front.reset()
        blocks = stream_audio(path.with_suffix(".wav"), config.frontend.sample_rate_hz)
        ours = np.concatenate([front.accept(block) for block in blocks])
        with np.load(path) as recorded:
            expected = recorded["features"]
        assert ours.shape == expected.shape, path.name
        elements += ours.size
        different += np.count_nonzero(ours != expected)
    assert elements == 117_600
    assert different == 0


@pytest.mark.parametrize(
    ("changes", "frames_per_call"),
    [
        ({}, 2),
        ({"preemphasis": 0.0, "bins": 13}, 1),
        ({"stack": 4, "stack_hop": 1, "bins": 7}, 3),
        ({"stack": 1, "stack_hop": 5, "hop_length": 450, "bins": 7}, 1),
        ({"sample_rate_hz": 8000, "high_hz": 4000, "bins": 20}, 2),
        ({"window_length": 25, "hop_length": 10, "fft_length": 25, "bins": 5}, 2),
    ],
)
@pytest.mark.parametrize("peak", [1e-7, 0.3, 1.0])
def test_equals_the_naive_front_end(changes, frames_per_call, peak):
    config = frontend(**changes)
    samples = noise(6000, peak=peak)
    ours = extractor(config, frames_per_call).accept(samples)
    unrounded = naive(config, samples, frames_per_call)
    assert ours.dtype == np.int8
    assert ours.shape == unrounded.shape
    assert len(ours) > 0
    # Correctly rounded but for ties within float32's reach.
    assert np.abs(ours - unrounded).max() <= 0.5 + 1e-4


@given(
    cuts=st.lists(st.integers(0, 5000), max_size=40),
    stack=st.integers(1, 4),
    stack_hop=st.integers(1, 6),
    hop_length=st.sampled_from([60, 160, 500]),
    frames_per_call=st.integers(1, 3),
)
def test_any_chunking_gives_the_same_bits(cuts, stack, stack_hop, hop_length, frames_per_call):
    config = frontend(stack=stack, stack_hop=stack_hop, hop_length=hop_length, bins=6)
    samples = noise(5000)
    whole = extractor(config, frames_per_call).accept(samples)
    front = extractor(config, frames_per_call)
    chunks = np.split(samples, sorted(cuts))
    assert np.array_equal(np.concatenate([front.accept(chunk) for chunk in chunks]), whole)


def test_one_sample_at_a_time_and_single_precision_give_the_same_bits():
    samples = np.round(noise(3000) * 32768) / 32768
    whole = extractor(frontend()).accept(samples)
    front = extractor(frontend())
    single = [front.accept(samples[i : i + 1].astype(np.float32)) for i in range(len(samples))]
    assert np.array_equal(np.concatenate(single), whole)


def test_a_call_comes_with_the_last_sample_of_its_last_window():
    front = extractor(frontend())
    assert (front.first_call_samples, front.samples_per_call) == (5 * 160 + 400, 960)
    samples = noise(front.first_call_samples + front.samples_per_call)
    assert front.accept(samples[:1199]).shape == (0, 2, 120)
    assert front.accept(samples[1199:1200]).shape == (1, 2, 120)
    assert front.accept(samples[1200:-1]).shape == (0, 2, 120)
    assert front.accept(samples[-1:]).shape == (1, 2, 120)


def test_reset_starts_a_new_utterance():
    front = extractor(frontend())
    first = front.accept(noise(3000))
    front.accept(noise(1234, seed=2))
    front.reset()
    assert np.array_equal(front.accept(noise(3000)), first)


def test_silence_is_the_floor_of_the_logarithm():
    config = frontend()
    quiet = (np.log(1e-8) - np.array(config.mean)) / config.std
    expected = np.clip(np.rint(np.clip(quiet, -4, 4) / SCALE) + ZERO_POINT, -128, 127)
    ours = extractor(config).accept(np.zeros(1200)).reshape(-1, 40)
    assert np.array_equal(ours, np.tile(expected, (6, 1)))


def test_features_saturate_at_int8():
    coarse = FeatureExtractor(frontend(), 0.001, 0, 2)
    assert set(np.unique(coarse.accept(noise(1200, peak=1.0)))) >= {127}
    assert set(np.unique(coarse.accept(np.zeros(1200) + 0.0))) >= {-128}


def test_mel_filters_are_triangles_of_peak_one_in_hertz():
    config = frontend()
    filters = mel_filters(config.mel, config.fft_length, config.sample_rate_hz)
    assert filters.shape == (40, 257)
    assert filters.min() == 0 and 0.5 < filters.max(axis=1).min() <= filters.max() <= 1
    hz = np.arange(257) * 31.25
    assert not filters[:, (hz <= 60) | (hz >= 7600)].any()
    # Between the first and the last peak, neighbours share every bin's weight.
    peaks = mel_to_hz(np.linspace(hz_to_mel(60), hz_to_mel(7600), 42))
    inner = (hz >= peaks[1]) & (hz <= peaks[-2])
    np.testing.assert_allclose(filters.sum(axis=0)[inner], 1, rtol=1e-12)


def test_a_filter_between_two_fft_bins_hears_nothing():
    config = frontend(window_length=25, hop_length=10, fft_length=32, bins=40)
    filters = mel_filters(config.mel, config.fft_length, config.sample_rate_hz)
    assert (filters.sum(axis=1) == 0).any()
    samples = noise(500)
    ours = extractor(config).accept(samples)
    assert np.abs(ours - naive(config, samples, 2)).max() <= 0.5 + 1e-4


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(10, np.int16), r"must be a vector of floats \(full scale 1.0\), not int16"),
        (np.zeros((2, 10)), r"not float64 of shape \(2, 10\)"),
        (np.array([0.0, np.nan]), r"samples must be finite and within \+-256"),
        (np.array([-np.inf]), r"samples must be finite and within \+-256"),
        (np.array([257.0]), r"samples must be finite and within \+-256"),
    ],
)
def test_unusable_samples_are_refused_and_forgotten(samples, message):
    front = extractor(frontend())
    front.accept(noise(700))
    with pytest.raises(ValueError, match=message):
        front.accept(samples)
    resumed = front.accept(noise(700, seed=2))
    whole = extractor(frontend()).accept(np.concatenate([noise(700), noise(700, seed=2)]))
    assert np.array_equal(resumed, whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0, 2), "scale must be finite and above 0, not 0.0"),
        ((float("nan"), 0, 2), "scale must be finite and above 0, not nan"),
        ((0.1, 128, 2), "zero_point must be -128 to 127, not 128"),
        ((0.1, 0, 0), "frames_per_call must be at least 1, not 0"),
    ],
)
def test_parameters_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        FeatureExtractor(frontend(), *arguments)
