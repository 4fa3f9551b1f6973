"""Sets to be heard: what stands in them, and how far noise is below speech."""

import ctypes.util

import numpy as np
import pytest
import soundfile

from compiler.train.corpus.build import build
from compiler.train.corpus.sets import NOTHING, sets, write_sets
from compiler.train.corpus.store import Part
from compiler.train.sound.disturb import level
from npu.errors import RecipeError
from npu.speech.spoken_sets import read_set, set_digest
from tests.compiler.train.corpus.recipes import tiny

pytestmark = pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None,
    reason="the Debian package espeak-ng is not installed",
)
RECIPE = tiny(apart=["open"], noise_s=60, test=24)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    build(RECIPE, folder, 1, lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def written(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "sets"
    told = []
    places = write_sets(RECIPE, corpus, folder, None, told.append)
    assert told == list(sets(RECIPE))
    return {place.name: read_set(place) for place in places}


def test_each_kind_is_in_its_set(corpus, written):
    for part in ("test", "speakers"):
        clips = list(Part(corpus, part))
        for ending, apart in (("", False), ("-apart", True)):
            wanted = [each.text for each in clips if (each.kind == "open") is apart]
            for decibels in (30, 10):
                found = written.get(f"{part}{ending}-{decibels}db", [])
                assert [" ".join(each.words) for each in found] == wanted
                assert all(len(each.ends) == len(each.words) for each in found)
    assert len(written["test-30db"]) + len(written["test-apart-30db"]) == 24
    trained = {each.text for each in Part(corpus, "train")}
    for found in written.values():
        assert not trained & {" ".join(each.words) for each in found if each.words}


def test_in_one_set_nothing_is_said(corpus, written):
    found = written[NOTHING]
    assert [each.kind for each in found].count("noise") == 2
    assert len(found) == len(Part(corpus, "foreign")) + 2
    assert not any(each.words for each in found)
    for each in found:
        samples, rate = soundfile.read(each.path)
        assert rate == 16_000 and np.abs(samples).max() > 1e-3
        assert each.kind != "noise" or len(samples) == 30 * rate


@pytest.mark.parametrize("decibels", [30, 10])
def test_noise_is_as_far_below_speech_as_the_name_says(corpus, written, decibels):
    clips = [each for each in Part(corpus, "test") if each.kind != "open"]
    ratios = []
    for clip, each in zip(clips, written[f"test-{decibels}db"], strict=True):
        heard, _ = soundfile.read(each.path, dtype="float32")
        speech = clip.samples.astype(np.float32)
        speech *= 10 ** (-26 / 20) / level(speech)
        noise = heard - speech
        ratios.append(20 * np.log10(level(speech) / np.sqrt(np.mean(noise**2))))
    assert np.median(np.abs(np.array(ratios) - decibels)) < 1e-3
    assert np.abs(np.array(ratios) - decibels).max() < 1.5  # impulses may be clipped


def test_the_same_corpus_gives_the_same_sets(corpus, written, tmp_path):
    write_sets(RECIPE, corpus, tmp_path, ["speakers-10db"], lambda _: None)
    (place,) = tmp_path.iterdir()
    again = read_set(place)
    before = written["speakers-10db"]
    assert set_digest(place, again) == set_digest(before[0].path.parent, before)
    told = []
    assert write_sets(RECIPE, corpus, tmp_path, ["speakers-10db"], told.append) == [place]
    assert told == []


def test_a_set_that_is_none(corpus, tmp_path):
    with pytest.raises(RecipeError, match="no set 'tests-30db'; there are: test-30db, test-10db"):
        write_sets(RECIPE, corpus, tmp_path, ["tests-30db"], lambda _: None)
