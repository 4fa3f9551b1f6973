"""A corpus that is built: the same on every number of processes, and split as it says."""

import ctypes.util
import itertools
import json
import shutil

import numpy as np
import pytest

from compiler.train.corpus.build import build, sizes, split_of
from compiler.train.corpus.engines.speech import RATE_HZ
from compiler.train.corpus.plan import FOREIGN, parts
from compiler.train.corpus.sides import digest
from compiler.train.corpus.store import Part
from npu.errors import RecipeError
from tests.compiler.train.corpus.recipes import SPEAKERS, tiny

pytestmark = pytest.mark.skipif(
    ctypes.util.find_library("espeak-ng") is None,
    reason="the Debian package espeak-ng is not installed",
)

ALL_PARTS = parts(tiny())


def content(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    told = []
    build(tiny(), folder, 1, lambda *both: told.append(both))
    assert told == [(n, 5) for n in range(6)]
    return folder


def test_two_processes_give_the_same(folder, tmp_path):
    build(tiny(), tmp_path, 2, lambda *_: None)
    assert content(tmp_path) == content(folder)


def test_a_removed_shard_is_made_again(folder, tmp_path):
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    (again / "develop-000.jsonl").unlink()
    kept = (again / "train-000.npy").stat().st_mtime_ns
    told = []
    build(tiny(), again, 1, lambda *both: told.append(both))
    assert told == [(4, 5), (5, 5)]
    assert content(again) == content(folder)
    assert (again / "train-000.npy").stat().st_mtime_ns == kept


def test_another_recipe_is_refused(folder):
    was = content(folder)
    with pytest.raises(RecipeError, match="corpus of another recipe"):
        build(tiny(clips=13), folder, 1, lambda *_: None)
    assert content(folder) == was


def test_an_engine_that_is_left_out_speaks_its_part_alone(tmp_path):
    pytest.importorskip("hibari", reason="the extra `voices` is not installed")
    pytest.importorskip("onnx", reason="the extra `voices` is not installed")
    recipe = tiny(clips=2, develop=2, test=8)
    left_out = recipe.voices[0].model_copy(update={"engine": "hibari", "side": "test"})
    recipe = recipe.model_copy(update={"voices": [*recipe.voices, left_out]})
    build(recipe, tmp_path, 1, lambda *_: None)
    engines = {part: {clip.engine for clip in Part(tmp_path, part)} for part in sizes(recipe)}
    assert engines.pop("engine") == {"hibari"}
    assert set(map(frozenset, engines.values())) == {frozenset({"espeak"})}
    split = json.loads((tmp_path / "engine.split.json").read_text())
    assert split["speaker"] == [digest("speaker", "hibari heart")]
    assert set(split["sentence"]) <= {
        digest("sentence", clip.text) for clip in Part(tmp_path, "engine")
    }


def test_a_language_that_is_none_is_told_before_anything_is_spoken(tmp_path):
    recipe = tiny()
    foreign = recipe.foreign.model_copy(update={"test": ["es", "fr-xx"]})
    recipe = recipe.model_copy(update={"foreign": foreign})
    with pytest.raises(RecipeError, match="eSpeak NG has no voice 'fr-xx"):
        build(recipe, tmp_path, 1, lambda *_: None)
    assert not list(tmp_path.glob("*.npy"))


def test_parts_have_their_clips(folder):
    for part, count in sizes(tiny()).items():
        assert len(Part(folder, part)) == count


def test_speakers_and_sentences_are_apart(folder):
    splits = {part: json.loads((folder / f"{part}.split.json").read_text()) for part in ALL_PARTS}
    for a, b in itertools.combinations(ALL_PARTS, 2):
        (text_a, voice_a), (text_b, voice_b) = ALL_PARTS[a], ALL_PARTS[b]
        for kind, same in (
            ("sentence", text_a == text_b),
            ("name", text_a == text_b),
            ("speaker", voice_a == voice_b),
        ):
            if not same:
                assert not set(splits[a][kind]) & set(splits[b][kind]), (a, b, kind)
    train = next(iter(Part(folder, "train")))
    leaked = split_of([*Part(folder, "speakers"), train])
    for kind in ("sentence", "speaker"):
        assert set(leaked[kind]) & set(splits["train"][kind])
    assert {digest("speaker", who) for who, on in SPEAKERS.items() if on != "train"}.isdisjoint(
        splits["train"]["speaker"]
    )


def test_words_are_louder_than_what_is_between_them(folder):
    louder = []
    for part in ALL_PARTS:
        for clip in Part(folder, part):
            assert len(clip.words) == len(clip.text.split())
            if not clip.text:
                assert clip.kind == FOREIGN
                continue
            edges = [0, *(edge for word in clip.words for edge in word)]
            edges.append(len(clip.samples) / RATE_HZ)
            assert edges == sorted(edges), clip.text
            assert all(end > begin for begin, end in clip.words), clip.text
            speech = np.zeros(len(clip.samples), bool)
            for begin, end in clip.words:
                speech[round(begin * RATE_HZ) : round(end * RATE_HZ)] = True
            power = np.square(clip.samples.astype(float))
            louder.append(power[speech].mean() > 100 * power[~speech].mean())
    assert all(louder)


def test_clips_that_are_too_long_are_left_out(tmp_path):
    build(tiny(longest_s=0.1, clips=2, develop=1, test=1), tmp_path, 2, lambda *_: None)
    assert [len(Part(tmp_path, part)) for part in ALL_PARTS] == [0, 0, 0, 0, 0]
