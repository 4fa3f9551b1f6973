"""Every model of the zoo: kernels and twin are what TensorFlow Lite Micro was, in every bit."""

import json

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.reference import search_of, speech_of
from npu import zoo
from npu.chip.params import load_params
from npu.model.recording import Recording
from npu.runtime.sessions import TransducerSession
from npu.speech.spoken_sets import read_set
from tests import recorded_utterances

COMPARED = ("encoder_out", "logits")
UTTERANCES = [
    (name, sound) for name in zoo.names() for sound in (each.stem for each in zoo.utterances(name))
]


def recorded(name, sound):
    with np.load(zoo.path(name) / "utterances" / f"{sound}.npz") as found:
        return dict(found)


def agrees(tokens, saw, wanted):
    assert tokens == wanted["tokens"].tolist()
    for key in COMPARED:
        found = np.array(saw.vectors[key])
        np.testing.assert_array_equal(found.reshape(wanted[key].shape), wanted[key], err_msg=key)


@pytest.mark.parametrize("name", zoo.names())
def test_what_comes_with_a_model_is_whole(name):
    model, folder = load_model(name), zoo.path(name) / "utterances"
    told = json.loads((folder / "transcripts.json").read_text(encoding="utf-8"))
    utterances = read_set(zoo.utterance_set(name))
    assert [each.path for each in utterances] == zoo.utterances(name)
    assert {each.path.stem for each in utterances} == set(told)
    for each in utterances:
        wanted = recorded(name, each.path.stem)
        features = np.concatenate([made for _, made in speech_of(model).features(each.path)])
        np.testing.assert_array_equal(features, wanted["features"])
        assert told[each.path.stem]["text"].split() == list(each.words)
        heard = model.tokens.decode(wanted["tokens"].tolist())
        assert told[each.path.stem]["tflm"].strip() == heard.strip()


@pytest.mark.parametrize(("name", "sound"), UTTERANCES)
def test_kernels(name, sound):
    wanted, saw = recorded(name, sound), Recording()
    agrees(search_of(load_model(name), saw).accept(wanted["features"]), saw, wanted)


@pytest.mark.parametrize(("chip", "sounds"), [("tiny", 1), ("edge", 2)])
@pytest.mark.parametrize("name", zoo.names())
def test_twin(name, chip, sounds):
    image = compile_model(load_model(name), load_params(chip))
    for sound in zoo.utterances(name)[:sounds]:
        wanted, saw = recorded(name, sound.stem), Recording()
        agrees(TransducerSession(image, recording=saw).accept(wanted["features"]), saw, wanted)


@pytest.mark.parametrize("name", zoo.names())
def test_the_recordings_are_of_these_files(name):
    """TFLM live, on the first utterance, where it is installed."""
    pytest.importorskip("tflite_micro")
    wanted = recorded(name, zoo.utterances(name)[0].stem)
    found = recorded_utterances.heard(zoo.path(name), wanted["features"], 0, 6)
    for key, values in wanted.items():
        np.testing.assert_array_equal(found[key], values, err_msg=key)
