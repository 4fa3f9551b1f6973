"""A front end of Kaldi's kind in `model.json`, and what it refuses."""

import json

import pytest

from npu.errors import ModelError
from npu.model.config import load_model_config
from npu.model.kaldi_frontend import KaldiFrontendConfig
from npu.zoo import path as zoo_path
from tests.kaldi_frontends import KALDI_FRONTEND


def loaded(tmp_path, frontend, frames=2):
    content = json.loads((zoo_path("commands_rnnt") / "model.json").read_text())
    content["frontend"] = frontend
    content["encoder"]["frames_per_call"] = frames
    (tmp_path / "model.json").write_text(json.dumps(content))
    return load_model_config(tmp_path / "model.json").frontend


def test_the_type_chooses(tmp_path):
    front = loaded(tmp_path, KALDI_FRONTEND | {"call_hop": 32}, 45)
    assert isinstance(front, KaldiFrontendConfig)
    assert (front.hop_length, front.window_length, front.fft_length) == (160, 400, 512)
    assert (front.highest_hz, front.first_sample, front.frame_size) == (7600, -120, 80)
    assert front.samples_per_call(45) == 32 * 160


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "mfcc"}, 'frontend.type must be "kaldi fbank", or left out, not "mfcc"'),
        ({"type": None}, 'frontend.type must be "kaldi fbank", or left out, not null'),
        ({"bin": 3}, "frontend.bin is not a known key, did you mean bins? (value 3)"),
        ({"bins": "80"}, 'frontend.bins must be an integer, not "80"'),
        ({"dither": 0.1}, "frontend.dither must be at most 0, not 0.1"),
        ({"frame_shift_ms": 0.01}, "must be of 1 to 65536 samples at 16000 Hz, not 0.01"),
        ({"high_hz": -7990.0}, "must be above low_hz 20 and at most half of sample_rate_hz, 8000"),
        ({"high_hz": 8001.0}, "must be above low_hz 20 and at most half of sample_rate_hz, 8000"),
        ({"call_hop": 3}, "frontend must have a call_hop of at most encoder.frames_per_call 2"),
        ({"frame_shift_ms": 0.5}, "a frame_shift_ms of at least 16 samples for 1 frames a call"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, changes, message):
    with pytest.raises(ModelError) as caught:
        loaded(tmp_path, KALDI_FRONTEND | changes)
    assert message in str(caught.value)


def test_filters_are_kaldis_unless_said(tmp_path):
    few = {name: value for name, value in KALDI_FRONTEND.items() if name != "mel"}
    assert loaded(tmp_path, few).mel == "kaldi"


def test_every_other_key_but_the_type_is_named_when_missing(tmp_path):
    for key in set(KALDI_FRONTEND) - {"type", "mel"}:
        few = {name: value for name, value in KALDI_FRONTEND.items() if name != key}
        with pytest.raises(ModelError, match=f"frontend.{key} is missing$"):
            loaded(tmp_path, few)
