"""Our features out of those that sherpa-onnx makes of samples."""

import numpy as np
import pytest

from compiler import load_model
from compiler.train.export.reading import trained_of
from npu.errors import ModelError
from npu.speech.audio import stream_audio
from npu.speech.features import FeatureExtractor
from npu.zoo import utterances
from tests.trained_transducers import TOKENS, random_trained

pytest.importorskip("onnx", reason="the extra `sherpa` is not installed")
pytest.importorskip("sherpa_onnx", reason="the extra `sherpa` is not installed")

from compiler.train.sherpa import heads
from compiler.train.sherpa.heads import HOP, Heard, Spelt, heard_features, spell
from compiler.train.sherpa.peer import Sherpa


def through(folder, loop, calls):
    """Features that were spelt, as sherpa-onnx hears them."""
    trained, head = random_trained(1, stateless=True), Spelt()
    sherpa = Sherpa(folder, trained, TOKENS, loop, head)
    frames = sherpa.frames(spell(calls), len(calls) * head.frames(trained))
    return heard_features(head, trained, frames)


@pytest.mark.parametrize("loop", ["nemo", "icefall"])
def test_spelt_features_come_back_whole(loop, tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    calls = rng.integers(-128, 128, (5, 2, 12)).astype(np.int8)
    calls[0], calls[1, 0], calls[1, 1] = 0, -128, 127
    np.testing.assert_array_equal(through(tmp_path / "a", loop, calls), calls)
    # Were steps so small that sherpa-onnx's arithmetic hides them, that would be seen.
    monkeypatch.setattr(heads, "_STEP", 1e-8)
    assert not np.array_equal(through(tmp_path / "b", loop, calls), calls)


def test_speech_is_heard_within_a_step_or_two(tmp_path):
    model = load_model("commands")
    trained, head = trained_of(model), Heard(model.config.frontend)
    sherpa = Sherpa(tmp_path / "network", trained, model.tokens.symbols, "nemo", head)
    grid = trained.features
    ours, theirs = [], []
    for path in utterances("commands")[:3]:
        samples = np.concatenate(list(stream_audio(path, 16000))).astype(np.float32)
        extractor = FeatureExtractor(head.config, float(grid.scale), grid.zero_point, 2)
        ours.append(extractor.accept(samples))
        frames = sherpa.frames(np.pad(samples, (0, HOP)), len(ours[-1]) * head.frames(trained))
        theirs.append(heard_features(head, trained, frames))
    apart = np.abs(np.concatenate(ours).astype(int) - np.concatenate(theirs))
    assert np.mean(apart == 0) > 0.7 and np.mean(apart <= 1) > 0.98
    # A frame late would be another sound.
    late = np.abs(np.concatenate(ours)[1:].astype(int) - np.concatenate(theirs)[:-1])
    assert np.mean(late <= 1) < 0.5


def test_a_front_end_that_is_too_far_is_refused():
    front = load_model("commands").config.frontend
    assert Heard.takes(front)
    for change in ({"hop_length": 320}, {"sample_rate_hz": 8000}, {"stack_hop": 2}):
        with pytest.raises(ModelError, match="must not overlap"):
            Heard(front.model_copy(update=change))
