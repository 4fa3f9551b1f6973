"""Sets for `npu evaluate` from the parts of a corpus that nothing is learnt from.

Every clip is at one level and one distance from a noise, of which there are four kinds. The set
`nothing` has speech of other languages and noise: in it no phrase is to be heard.
"""

import io
import json
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.plan import FOREIGN, parts
from compiler.train.corpus.store import Part
from compiler.train.recipe import Recipe
from compiler.train.sound.disturb import Rng, as_16_bits, noisy, nothing
from compiler.train.sound.features import RATE_HZ, in_floats
from npu.errors import RecipeError
from npu.files import write_folder
from npu.speech.spoken_sets import FILE_NAME

NOTHING = "nothing"
LEVEL_DBFS = -26.0
"""Of the speech: what ITU-T recommends for tests (P.56, P.830)."""
_NOISE_S = 30
"""Seconds of noise in a file."""
_DECIBELS = (30, 10)


@dataclass(frozen=True)
class _Set:
    """The clips of some kinds in a part of the corpus, so far above noise."""

    part: str
    decibels: float
    kinds: frozenset[str]


def sets(recipe: Recipe) -> dict[str, _Set]:
    """The sets by name: kinds that the recipe has apart stand in sets of their own."""
    apart = frozenset(recipe.corpus.apart)
    kinds = {"": frozenset(recipe.corpus.start) - apart, "-apart": apart}
    found = {
        f"{part}{ending}-{decibels}db": _Set(part, decibels, some)
        for part in parts(recipe)
        if part in ("test", "speakers", "engine")
        for ending, some in kinds.items()
        if some
        for decibels in _DECIBELS
    }
    if recipe.foreign:
        found[NOTHING] = _Set(FOREIGN, 30, frozenset({FOREIGN}))
    return found


def wanted(recipe: Recipe, names: Collection[str] | None) -> dict[str, _Set]:
    """The sets of these names, of all where it is None. Raises RecipeError for one that is none."""
    known = sets(recipe)
    for name in names or ():
        if name not in known:
            raise RecipeError(f"there is no set {name!r}; there are: {', '.join(known)}")
    return {name: known[name] for name in (known if names is None else names)}


def write_sets(
    recipe: Recipe,
    corpus: Path,
    folder: Path,
    names: Collection[str] | None,
    told: Callable[[str], object],
) -> list[Path]:
    """Write the sets that are not there yet, each whole or not at all.

    Parameters
    ----------
    recipe, corpus : what the corpus was built by, and where it is.
    folder : gets a folder for each set.
    names : of the sets that are wanted; None for all.
    told : is called with the name of each set before it is written.

    Returns
    -------
    The folders of those sets that have an utterance. Raises RecipeError for a name that is none.
    """
    chosen = wanted(recipe, names)
    folder.mkdir(exist_ok=True)
    written = []
    for name, of in chosen.items():
        place = folder / name
        if not (place / FILE_NAME).is_file():
            told(name)
            files = dict(_files(recipe, Part(corpus, of.part), name, of))
            if len(files) < 2:
                continue
            write_folder(str(place), files)
        written.append(place)
    return written


def _files(recipe: Recipe, part: Part, name: str, of: _Set) -> Iterator[tuple[str, bytes]]:
    lines = []
    for number, clip in enumerate(_clips(recipe, part, name, of)):
        audio = f"{number:05}.flac"
        yield audio, flac(clip.samples)
        words = [
            [word, round(begin, 4), round(end, 4)]
            for word, (begin, end) in zip(clip.text.split(), clip.words, strict=True)
        ]
        line = {"audio": audio, "text": clip.text, "speaker": clip.speaker, "kind": clip.kind}
        lines.append(json.dumps(line | ({"words": words} if words else {})))
    yield FILE_NAME, ("\n".join(lines) + "\n").encode()


def flac(samples: NDArray[np.int16]) -> bytes:
    """(n,) samples at RATE_HZ as a file."""
    sound = io.BytesIO()
    soundfile.write(sound, samples, RATE_HZ, format="FLAC", subtype="PCM_16")
    return sound.getvalue()


def _clips(recipe: Recipe, part: Part, name: str, of: _Set) -> Iterator[Clip]:
    seed = [recipe.corpus.seed, zlib.crc32(name.encode())]

    def others(rng: Rng) -> Callable[[], np.ndarray]:
        return lambda: in_floats(part[int(rng.integers(len(part)))].samples)

    for number, clip in enumerate(part):
        if clip.kind not in of.kinds:
            continue
        rng = np.random.default_rng([*seed, number])
        heard = noisy(clip.samples, LEVEL_DBFS, of.decibels, rng, others(rng))
        yield replace(clip, samples=heard)
    if name == NOTHING and len(part):
        for number in range(round(recipe.corpus.noise_s / _NOISE_S)):
            rng = np.random.default_rng([*seed, len(part) + number])
            made = nothing(_NOISE_S * RATE_HZ, recipe.sound.noise, rng, others(rng))
            made = as_16_bits(in_floats(made) * np.float32(10 ** rng.uniform(-1.5, 0.3)))
            yield Clip(made, "", "", "noise", (), "noise")
