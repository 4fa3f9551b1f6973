"""Clips put together anew, of words that others have: more strings than a corpus holds."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.engines.speech import RATE_HZ, samples_of
from compiler.train.corpus.store import Part
from compiler.train.recipe import Recipe

_PAD_S = 0.02
"""Kept about a word, as far as its neighbours leave it."""


@lru_cache(maxsize=8)
def sources(folder: Path, part: str, kinds: tuple[str, ...]) -> dict[str, NDArray[np.int64]]:
    """Numbers of the clips of these kinds in which something is said, by speaker; "" for all."""
    found: dict[str, list[int]] = {"": []}
    for number, (kind, speaker, words) in enumerate(Part(folder, part).about()):
        if kind in kinds and words:
            found.setdefault(speaker, []).append(number)
            found[""].append(number)
    return {speaker: np.array(numbers) for speaker, numbers in found.items()}


def respliced(
    part: Part,
    number: int,
    of: dict[str, NDArray[np.int64]],
    recipe: Recipe,
    rng: np.random.Generator,
) -> Clip:
    """A clip of words that are cut out of others, in its stead.

    Parameters
    ----------
    part, number : the clip; the new one is as long, and mostly its speaker's.
    of : what words come from, as `sources` has them.
    recipe : its `sound.respliced`, and of its corpus gaps, lead and tail, levels, and how often it
        is another voice.
    rng : draws it.
    """
    corpus, again = recipe.corpus, recipe.sound.respliced
    assert again is not None, "whoever calls has asked"
    clip = part[number]
    length = len(clip.samples)
    own = of.get(clip.speaker, of[""])
    out = np.zeros(length, np.int16)
    texts: list[str] = []
    words: list[tuple[float, float]] = []
    place = samples_of(rng.uniform(*corpus.lead_s))
    end = length - samples_of(corpus.tail_s[0])
    while len(own):
        numbers = of[""] if rng.random() < corpus.other_voice else own
        cut, text, (begin, stop) = _word(part[int(rng.choice(numbers))], rng)
        if place + len(cut) > end:
            break
        gain = 10 ** (rng.uniform(*corpus.word_level_db) / 20)
        out[place : place + len(cut)] = np.rint(cut * gain)
        texts.append(text)
        words.append((place / RATE_HZ + begin, place / RATE_HZ + stop))
        place += len(cut)
        if rng.random() >= again.joined:
            place += samples_of(rng.uniform(*corpus.spliced_gap_s))
    if not texts:  # no word is as short
        return clip
    return Clip(out, " ".join(texts), clip.engine, clip.speaker, tuple(words), clip.kind)


def _word(
    clip: Clip, rng: np.random.Generator
) -> tuple[NDArray[np.int16], str, tuple[float, float]]:
    """A word's samples, its text, and its begin and end in them, in seconds."""
    texts, words = clip.text.split(), clip.words
    n = int(rng.integers(len(words)))
    begin, end = words[n]
    first = max(begin - _PAD_S, words[n - 1][1] if n else 0.0)
    last = min(end + _PAD_S, words[n + 1][0] if n + 1 < len(words) else np.inf)
    first, last = min(first, begin), max(last, end)
    cut = clip.samples[
        max(0, samples_of(first)) : samples_of(min(last, len(clip.samples) / RATE_HZ))
    ]
    return cut, texts[n], (begin - first, end - first)
