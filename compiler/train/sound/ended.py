"""Clips with silence behind them, and some with pauses amid them: what an end is learnt from."""

from itertools import pairwise

import numpy as np

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.engines.speech import RATE_HZ, samples_of
from compiler.train.recipe import Ended

_FADE = 80
"""Samples in which the sound of a word goes into a pause, and comes out of it."""


def with_end(clip: Clip, ended: Ended, rng: np.random.Generator) -> Clip:
    """A clip in which something is said, with silence behind it, and perhaps a pause.

    Parameters
    ----------
    clip : its words lie within its samples.
    ended : how long the silence is, and how often there is a pause.
    rng : draws both.
    """
    samples, words = clip.samples, list(clip.words)
    if len(words) > 1 and rng.random() < ended.paused:
        n = int(rng.integers(1, len(words)))
        pause = samples_of(rng.uniform(*ended.pause_s))
        at = min(samples_of((words[n - 1][1] + words[n][0]) / 2), len(samples))
        samples = np.concatenate(
            [_faded(samples[:at], True), np.zeros(pause, np.int16), _faded(samples[at:], False)]
        )
        words[n:] = [(a + pause / RATE_HZ, b + pause / RATE_HZ) for a, b in words[n:]]
    tail = samples_of(rng.uniform(*ended.tail_s))
    samples = np.concatenate([samples, np.zeros(tail, np.int16)])
    return Clip(samples, clip.text, clip.engine, clip.speaker, tuple(words), clip.kind)


def window_of_end(clip: Clip, ended: Ended) -> tuple[float, float]:
    """In which seconds behind the last word of a clip its end may be told."""
    words = clip.words
    paused = any(b[0] - a[1] >= ended.hesitant_s for a, b in pairwise(words))
    may_go_on = paused or len(words) == 1 or clip.kind in (ended.hesitant_kinds or ())
    return ended.hesitant_window_s if may_go_on else ended.window_s


def _faded(samples: np.ndarray, out: bool) -> np.ndarray:
    """Samples that go to zero at their end, or come from it."""
    count = min(_FADE, len(samples))
    slope = np.ones(len(samples))
    ramp = np.linspace(0, 1, count, endpoint=False)
    if out:
        slope[len(samples) - count :] = ramp[::-1]
    else:
        slope[:count] = ramp
    return np.rint(samples * slope).astype(np.int16)
