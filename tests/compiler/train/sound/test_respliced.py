"""Clips of words of others: what is heard is what stands in the text, when its times say."""

from itertools import pairwise

import numpy as np
import pytest

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.engines.speech import RATE_HZ
from compiler.train.corpus.store import Part, write_shard
from compiler.train.recipe import Respliced
from compiler.train.sound.respliced import respliced, sources
from tests.compiler.train.corpus.recipes import tiny

TONES = {"go": 400, "left": 900, "right": 1700, "seven": 3100}


def clip(words, speaker, kind="words", gap=0.0):
    """Each word is its tone, of 0.25 s; another speaker's is louder."""
    pieces, times, at = [np.zeros(1600)], [], 0.1
    for word in words:
        wave = np.sin(2 * np.pi * TONES[word] * np.arange(4000) / RATE_HZ)
        pieces += [wave * (3000 if speaker == "a" else 9000), np.zeros(round(gap * RATE_HZ))]
        times.append((at, at + 0.25))
        at += 0.25 + gap
    pieces.append(np.zeros(8000))
    samples = np.concatenate(pieces).astype(np.int16)
    return Clip(samples, " ".join(words), "tones", speaker, tuple(times), kind)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    clips = [clip(["go", "left"], "a"), clip(["right"], "b"), clip(["left", "go"], "a", gap=0.2)]
    clips += [clip(["seven"], "a", "letters"), clip(["right", "left", "go", "right"], "a", gap=0.1)]
    clips.append(Clip(np.zeros(16000, np.int16), "", "tones", "a", (), "words"))
    write_shard(folder, "train", 0, clips)
    return folder, Part(folder, "train")


def heard(samples):
    """The word whose tone is in some samples."""
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    hertz = np.argmax(spectrum) * RATE_HZ / len(samples)
    return min(TONES, key=lambda word: abs(TONES[word] - hertz))


def recipe_with(joined=0.0, **corpus):
    """A recipe that puts words together anew."""
    recipe = tiny(**corpus)
    again = Respliced(chance=1.0, joined=joined, kinds=["words"])
    return recipe.model_copy(update={"sound": recipe.sound.model_copy(update={"respliced": again})})


def test_words_are_where_their_times_say(part):
    folder, clips = part
    of = sources(folder, "train", ("words",))
    assert {speaker: list(numbers) for speaker, numbers in of.items()} == {
        "": [0, 1, 2, 4],
        "a": [0, 2, 4],
        "b": [1],
    }
    recipe = recipe_with(0.5, other_voice=0.0, lead_s=(0.1, 0.3))
    texts = set()
    for seed in range(60):
        made = respliced(clips, 4, of, recipe, np.random.default_rng(seed))
        assert len(made.samples) == len(clips[4].samples)
        assert len(made.words) == len(made.text.split())
        before = 0.0
        for word, (begin, end) in zip(made.text.split(), made.words, strict=True):
            assert before <= begin and end == pytest.approx(begin + 0.25, abs=1e-3)
            assert heard(made.samples[round(begin * RATE_HZ) : round(end * RATE_HZ)]) == word
            before = end
        assert np.abs(made.samples).max() <= 3000  # nobody else's
        texts.add(made.text)
    assert len(texts) > 30 and not any("seven" in text for text in texts)


@pytest.mark.parametrize("joined", [0.0, 1.0])
def test_gaps_are_between_words_that_are_not_joined(part, joined):
    folder, clips = part
    of = sources(folder, "train", ("words",))
    recipe = recipe_with(joined, spliced_gap_s=(0.2, 0.3), lead_s=(0.0, 0.0))
    made = respliced(clips, 4, of, recipe, np.random.default_rng(1))
    gaps = [after[0] - before[1] for before, after in pairwise(made.words)]
    # About each word 20 ms are kept, where they are there.
    low, high = (0.2, 0.34) if joined == 0 else (0.0, 0.04)
    assert gaps and all(low - 1e-3 <= gap <= high + 1e-3 for gap in gaps)


def test_some_words_are_another_voice(part):
    folder, clips = part
    of = sources(folder, "train", ("words",))
    recipe = recipe_with(other_voice=1.0, word_level_db=(0.0, 0.0))
    loudest = [
        np.abs(respliced(clips, 0, of, recipe, np.random.default_rng(seed)).samples).max()
        for seed in range(40)
    ]
    assert {round(each, -3) for each in loudest} == {3000, 9000}


def test_a_clip_that_is_too_short_stays(part):
    folder, clips = part
    of = sources(folder, "train", ("words",))
    made = respliced(clips, 1, of, recipe_with(lead_s=(3.0, 3.0)), np.random.default_rng())
    assert made.text == "right"
    nothing = sources(folder, "train", ("day",))
    made = respliced(clips, 1, nothing, recipe_with(), np.random.default_rng())
    assert made.text == "right"
