"""What every speech synthesiser takes and gives."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from npu.errors import RecipeError
from npu.speech.resample import resample

RATE_HZ = 16_000
"""Of everything in a corpus."""
_QUIET = 0.01
"""Of the loudest sample: below it there is no speech."""


@dataclass(frozen=True)
class Request:
    """What is to be spoken.

    Attributes
    ----------
    text : words with one space between them.
    voice : of the engine.
    pace : how much longer than usual, 0.5 .. 2.
    pitch : how much higher, as a factor, 0.5 .. 2.
    """

    text: str
    voice: str
    pace: float = 1.0
    pitch: float = 1.0


@dataclass(frozen=True)
class Spoken:
    """What was spoken.

    Attributes
    ----------
    samples : (n,) int16 at RATE_HZ.
    words : begin and end of each word of the text, in seconds.
    """

    samples: NDArray[np.int16]
    words: tuple[tuple[float, float], ...]


class Engine(Protocol):
    """A synthesiser in this process."""

    PACKAGES: str
    """What it needs: packages of Debian, or the command that installs those of PyPI."""
    TELLS_WORDS: bool
    """Whether it tells when words are; else its whole sentences are no clips to learn from."""

    def voices(self) -> list[str]:
        """The voices that are installed."""

    def speaker(self, voice: str) -> str:
        """Whose voice it is; the same name in every engine that has that person's."""

    def speak(self, requests: Sequence[Request]) -> Iterator[Spoken]:
        """Speak one after the other. Raises RecipeError for what the engine does not do."""


def program(name: str, packages: str) -> str:
    """Where a program is. Raises RecipeError with the install command if nowhere."""
    found = shutil.which(name)
    if found is None:
        raise RecipeError(
            f"{name} is not installed; install it: sudo apt-get install {packages}, or take its "
            "voices out of the recipe"
        )
    return found


def at_rate(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """int16 samples at RATE_HZ."""
    if rate == RATE_HZ:
        return samples
    changed = resample(samples / 32768.0, rate, RATE_HZ)
    return np.clip(np.rint(changed * 32768), -32768, 32767).astype(np.int16)


def samples_of(seconds: float) -> int:
    """Samples at RATE_HZ."""
    return round(seconds * RATE_HZ)


def sounding(samples: NDArray[np.int16]) -> tuple[float, float]:
    """Begin and end of what is no silence, in seconds; all of it if everything is silent."""
    loud = np.abs(samples.astype(np.int32))
    (places,) = np.nonzero(loud > _QUIET * max(1, loud.max(initial=0)))
    if not len(places):
        return 0.0, len(samples) / RATE_HZ
    return float(places[0]) / RATE_HZ, float(places[-1] + 1) / RATE_HZ


def by_letters(text: str, begin: float, end: float) -> tuple[tuple[float, float], ...]:
    """Times of words that share a stretch of time by their letters: what is taken if an engine
    does not tell them.
    """
    words = text.split()
    lengths = np.array([len(word) + 1 for word in words])
    edges = begin + (end - begin) * np.concatenate([[0], np.cumsum(lengths)]) / lengths.sum()
    return tuple((float(a), float(b)) for a, b in pairwise(edges))


def from_ends(
    ends: Sequence[float], text: str, samples: NDArray[np.int16]
) -> tuple[tuple[float, float], ...]:
    """Words of which each begins where the one before ends, within what sounds.

    `ends` : one for each word; others give the words by their letters.
    """
    begin, end = sounding(samples)
    if len(ends) != len(text.split()):
        return by_letters(text, begin, end)
    edges = np.clip([begin, *ends], begin, end)
    return tuple((float(a), float(b)) for a, b in pairwise(edges))
