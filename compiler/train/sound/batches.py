"""Batches for training: which clips, how they are heard, and their symbols with their times."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from compiler.train.corpus.store import Part
from compiler.train.recipe import Recipe, Sound
from compiler.train.sound.disturb import disturbed, masked, nothing
from compiler.train.sound.ended import window_of_end, with_end
from compiler.train.sound.features import HOP, Bend, end_of_calls, in_floats, log_mel, steps
from compiler.train.sound.respliced import respliced, sources
from compiler.train.symbols import END, symbols_of


@dataclass(frozen=True)
class Batch:
    """What the network learns from at once.

    Attributes
    ----------
    steps : (clips, most steps, features) float32, zeros behind the end.
    lengths : (clips,) int64, steps of each clip, even.
    symbols : (clips, most symbols) int64, zeros behind the end.
    counts : (clips,) int64, symbols of each clip.
    first, last : (clips, most symbols) int64, the encoder calls in which each symbol may be
        emitted; `last` is a call of the clip, and at least `first`.
    """

    steps: NDArray[np.float32]
    lengths: NDArray[np.int64]
    symbols: NDArray[np.int64]
    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


@dataclass(frozen=True)
class Listener:
    """Hears clips of a part of a corpus; small, for other processes.

    Attributes
    ----------
    folder, part : the corpus.
    recipe : how they are disturbed.
    mean, std : of the features, for each bin.
    """

    folder: Path
    part: str
    recipe: Recipe
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        return len(_part(self.folder, self.part))

    def batch(self, step: int) -> Batch:
        """The batch of a training step: the same in whatever process."""
        seed = self.recipe.seed
        begin, end = self.recipe.sound.ramp_steps
        strength = float(np.clip((step - begin) / max(1, end - begin), 0, 1))
        heard = [
            self._heard(int(number), self.recipe.sound, strength, [seed, step, n])
            for n, number in enumerate(self._numbers(step))
        ]
        return padded(heard)

    def _numbers(self, step: int) -> NDArray[np.int64]:
        """The clips of a step: of those whose turn it is in some steps, some of about one length,
        so that little is padded.
        """
        part, size, seed = (
            _part(self.folder, self.part),
            self.recipe.learning.batch,
            self.recipe.seed,
        )
        together = self.recipe.learning.together
        group, place = divmod(step, together)
        count = together * size
        epoch, at = divmod(group * count, len(part))
        epochs = range(epoch, ((group + 1) * count - 1) // len(part) + 1)
        orders = [np.random.default_rng([seed, each]).permutation(len(part)) for each in epochs]
        numbers = np.concatenate(orders)[at : at + count]
        by_length = numbers[np.argsort(part.lengths[numbers], kind="stable")]
        turn = np.random.default_rng([seed, 0, 0, group]).permutation(together)[place]
        return by_length.reshape(together, size)[turn]

    def plain(self, number: int) -> tuple[NDArray[np.float32], list[int], NDArray[np.float64]]:
        """A clip as it is: steps, symbols, and their ends in seconds."""
        clip = _part(self.folder, self.part)[number]
        features = log_mel(in_floats(clip.samples))
        symbols, ends, _ = symbols_of(clip.text, clip.words)
        return steps(features, *self._normal()), symbols, ends

    def _normal(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)

    def _heard(self, number: int, sound: Sound, strength: float, seed: list[int]) -> tuple:
        part = _part(self.folder, self.part)
        rng = np.random.default_rng(seed)
        clip, again = part[number], sound.respliced
        if again is not None and clip.text and rng.random() < again.chance:
            of = sources(self.folder, self.part, tuple(again.kinds))
            clip = respliced(part, number, of, self.recipe, rng)
        if sound.ended is not None and clip.text:
            clip = with_end(clip, sound.ended, rng)

        def others() -> NDArray[np.float32]:
            return in_floats(part[int(rng.integers(len(part)))].samples)

        if rng.random() < sound.untouched:
            strength = 0.0
        samples, text, words = clip.samples, clip.text, clip.words
        if rng.random() < strength * sound.nothing:
            samples, text, words = nothing(len(samples), sound.noise, rng, others), "", ()
        heard, bend, factor = disturbed(samples, sound, strength, rng, others)
        features = log_mel(heard, bend)
        seen = masked(steps(features, *self._normal()), sound.masks, strength, rng)
        symbols, ends, begins = symbols_of(text, words)
        # The features' hop is a whole number of samples.
        factor *= _stretched(bend)
        ends, begins, calls = ends * factor, begins * factor, len(seen) // 2
        first, last = windows(ends, begins, calls, self.recipe.learning.window_s)
        if sound.ended is not None and symbols:
            behind = windows(ends[-1:], begins[-1:], calls, window_of_end(clip, sound.ended))
            symbols = [*symbols, END]
            first, last = np.append(first, behind[0]), np.append(last, behind[1])
        return seen, symbols, first, last


def alone() -> None:
    """One thread for products of matrices, from now on: where every core has a process that makes
    batches or learns, more threads wait for each other (0.37 -> 0.11 s a batch).
    """
    threadpool_limits(1)


def windows(
    ends: NDArray[np.float64],
    begins: NDArray[np.float64],
    calls: int,
    about: tuple[float, float],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first and last encoder call in which each symbol may be emitted.

    Parameters
    ----------
    ends, begins : of each symbol its end, and the onset of its phrase, in seconds.
    calls : of the clip, at least 1.
    about : of the recipe, in seconds about a symbol's end.
    """
    heard = end_of_calls(calls)
    first = np.searchsorted(heard, np.maximum(ends + about[0], begins))
    last = np.searchsorted(heard, ends + about[1], side="right") - 1
    first = np.minimum(first, calls - 1)
    return first, np.maximum(first, np.clip(last, 0, calls - 1))


def padded(heard: list[tuple]) -> Batch:
    """Clips side by side."""
    lengths = np.array([len(seen) for seen, *_ in heard])
    counts = np.array([len(symbols) for _, symbols, *_ in heard])
    out = np.zeros((len(heard), lengths.max(), heard[0][0].shape[1]), np.float32)
    symbols, first, last = (np.zeros((len(heard), counts.max()), np.int64) for _ in range(3))
    for n, (seen, text, begin, end) in enumerate(heard):
        out[n, : len(seen)] = seen
        symbols[n, : len(text)], first[n, : len(text)], last[n, : len(text)] = text, begin, end
    return Batch(out, lengths, symbols, counts, first, last)


def _stretched(bend: Bend) -> float:
    return HOP / round(HOP / bend.stretch)


@lru_cache(maxsize=8)
def _part(folder: Path, part: str) -> Part:
    return Part(folder, part)
