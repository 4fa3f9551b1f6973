"""A clip put together from what was spoken."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.train.corpus.engines import Spoken
from compiler.train.corpus.engines.speech import RATE_HZ, sounding
from compiler.train.corpus.plan import Plan
from compiler.train.recipe import Corpus

_PAD_S = 0.01
"""Kept of the silence about a word that is cut out."""


@dataclass(frozen=True)
class Clip:
    """What a corpus holds of a clip.

    Attributes
    ----------
    samples : (n,) int16 at RATE_HZ.
    text, engine, speaker, kind : of its plan.
    words : begin and end of each word of the text, in seconds.
    """

    samples: NDArray[np.int16]
    text: str
    engine: str
    speaker: str
    words: tuple[tuple[float, float], ...]
    kind: str = ""


def put_together(plan: Plan, spoken: Sequence[Spoken], corpus: Corpus) -> Clip:
    """The clip of a plan.

    Parameters
    ----------
    plan, spoken : what was asked for, and what was spoken, one for each request.
    corpus : how long lead, tail and gaps are.
    """
    draw = random.Random(plan.seed)
    pieces: list[NDArray[np.int16]] = []
    words: list[tuple[float, float]] = []
    length = 0

    def put(samples: NDArray[np.int16]) -> None:
        nonlocal length
        pieces.append(samples)
        length += len(samples)

    def silence(seconds: float) -> None:
        put(np.zeros(round(seconds * RATE_HZ), np.int16))

    silence(draw.uniform(*corpus.lead_s))
    for n, one in enumerate(spoken):
        if n:
            silence(draw.uniform(*corpus.spliced_gap_s))
        begin, end = sounding(one.samples)
        begin, end = max(0.0, begin - _PAD_S), end + _PAD_S
        first = round(begin * RATE_HZ)
        cut = one.samples[first : round(end * RATE_HZ)]
        if plan.spliced:
            gain = 10 ** (draw.uniform(*corpus.word_level_db) / 20)
            cut = np.clip(np.rint(cut * gain), -32768, 32767).astype(np.int16)
        shift = (length - first) / RATE_HZ
        if plan.text:
            words += [(a + shift, b + shift) for a, b in one.words]
        put(cut)
    silence(draw.uniform(*corpus.tail_s))
    samples = np.concatenate(pieces)
    return Clip(samples, plan.text, plan.engine, plan.speaker, tuple(words), plan.kind)
