"""The silence that a model wants goes from its model.json to whoever hears, by its image, too."""

import json

import pytest

from compiler import compile_model, load_model
from compiler.reference import speech_of as speech_of_model
from npu import zoo
from npu.chip.params import load_params
from npu.errors import ModelError
from npu.model.config import load_model_config
from npu.runtime.frontend import speech_of
from npu.speech.ends import COMMANDS, Ending


def test_a_model_and_its_image_want_the_same():
    model = load_model("commands_ending")
    of_image = speech_of(compile_model(model, load_params("tiny")))
    for speech in (speech_of_model(model), of_image):
        assert speech.silence_s == 0.84
        assert speech.rule(COMMANDS).quiet_calls == 14
        assert speech.rule(Ending(0.6)).quiet_calls == 10


def test_most_models_want_none_and_say_nothing():
    image = compile_model(load_model("commands"), load_params("tiny"))
    assert speech_of(image).rule(COMMANDS) == COMMANDS.rule(0.06)
    assert "silence_s" not in image.header.transducer.config


@pytest.mark.parametrize("wrong", [0, -1, 3601, "long"])
def test_a_silence_that_is_none_is_refused(tmp_path, wrong):
    told = json.loads((zoo.path("commands_ending") / "model.json").read_text()) | {
        "silence_s": wrong
    }
    (tmp_path / "model.json").write_text(json.dumps(told))
    with pytest.raises(ModelError, match="silence_s"):
        load_model_config(tmp_path / "model.json")
