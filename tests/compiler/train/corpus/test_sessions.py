"""Recordings of many phrases: whole clips with pauses, where the set says they are."""

import ctypes.util

import numpy as np
import pytest
import soundfile

from compiler.train.corpus.build import build
from compiler.train.corpus.sessions import PAUSE_S, write_sessions
from compiler.train.corpus.store import Part
from compiler.train.sound.disturb import level
from npu.speech.spoken_sets import read_set
from tests.compiler.train.corpus.recipes import tiny

pytestmark = pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None,
    reason="the Debian package espeak-ng is not installed",
)
RECIPE = tiny(test=24)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    build(RECIPE, folder / "corpus", 1, lambda *_: None)
    told = []
    places = write_sessions(RECIPE, folder / "corpus", folder / "sessions", told.append, phrases=5)
    assert told == [place.name for place in places] and "test" in told
    return folder


def test_phrases_are_whole_clips_with_pauses(run):
    found = read_set(run / "sessions" / "test")
    clips = [clip.text for clip in Part(run / "corpus", "test")]
    apart = RECIPE.corpus.apart
    assert len(found) == sum(c.kind not in apart for c in Part(run / "corpus", "test")) // 5 >= 2
    said = [phrase.text for each in found for phrase in each.phrases]
    assert len(said) == 5 * len(found)
    assert all(said.count(text) <= clips.count(text) for text in said)
    for each in found:
        samples, rate = soundfile.read(each.path)
        for before, behind in zip(each.phrases, each.phrases[1:], strict=False):
            assert behind.start - before.end > PAUSE_S[0]
        speech = [samples[int(p.start * rate) : int(p.end * rate)] for p in each.phrases]
        first = each.phrases[0]
        quiet = samples[int((first.end + 0.1) * rate) : int((first.end + 0.2) * rate)]
        loud = level(np.concatenate(speech).astype(np.float32))
        assert np.sqrt(np.square(quiet).mean()) < loud / 10
        # Words stand where they are said to: there is sound in each.
        assert min(float(np.abs(part).max()) for part in speech) > loud / 2


def test_what_there_is_stays(run):
    before = {path: path.read_bytes() for path in (run / "sessions").rglob("*") if path.is_file()}
    assert before
    write_sessions(RECIPE, run / "corpus", run / "sessions", lambda _: None, phrases=5)
    after = {path: path.read_bytes() for path in (run / "sessions").rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
