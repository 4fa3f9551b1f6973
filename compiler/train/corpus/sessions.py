"""Recordings of many phrases with pauses between them, for `npu endpoints`.

Clips of one part of a corpus follow each other with a pause behind each, in a third of the pauses
there is a noise, and another one lies under the whole recording. No clip is cut or comes twice.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.sets import LEVEL_DBFS, flac
from compiler.train.corpus.store import Part
from compiler.train.recipe import Recipe
from compiler.train.sound.disturb import Floats, Rng, as_16_bits, at_level, burst, noisy
from compiler.train.sound.features import RATE_HZ, in_floats
from npu.files import write_folder
from npu.speech.spoken_sets import FILE_NAME

PARTS = {"develop": "develop", "test": "test"}
"""The sets, and the part of the corpus that each is made of: thresholds are chosen on the first."""
RECORDINGS = 10
PHRASES = 30
"""In a recording."""
PAUSE_S = (0.8, 2.5)
"""Added to the silence that a clip has at its ends."""
NOISES = 1 / 3
"""Of the pauses have one."""
NOISE_S = (0.2, 0.7)
NOISE_DB = 20.0
"""Of it below the speech. What lies under the whole recording is as far below as in the sets."""
UNDER_DB = 30.0


def write_sessions(
    recipe: Recipe,
    corpus: Path,
    folder: Path,
    told: Callable[[str], object],
    phrases: int = PHRASES,
) -> list[Path]:
    """Write the sets that are not there yet, each whole or not at all; returns their folders.

    Parameters
    ----------
    recipe, corpus : what the corpus was built by, and where it is.
    folder : gets a folder for each set.
    told : is called with the name of each set before it is written.
    phrases : in each recording. What is left of a part makes none; one with too few has no set.
    """
    folder.mkdir(exist_ok=True)
    written = []
    for name, part in PARTS.items():
        place = folder / name
        if not (place / FILE_NAME).is_file():
            files = dict(_files(recipe, Part(corpus, part), name, phrases))
            if len(files) < 2:
                continue
            told(name)
            write_folder(str(place), files)
        written.append(place)
    return written


def _files(recipe: Recipe, part: Part, name: str, phrases: int) -> Iterator[tuple[str, bytes]]:
    apart = frozenset(recipe.corpus.apart)
    clips = [n for n, (kind, _, words) in enumerate(part.about()) if words and kind not in apart]
    seed = [recipe.corpus.seed, zlib.crc32(f"session {name}".encode())]
    np.random.default_rng(seed).shuffle(clips)
    lines = []
    for number in range(min(RECORDINGS, len(clips) // phrases)):
        rng = np.random.default_rng([*seed, number])
        chosen = [part[n] for n in clips[number * phrases : (number + 1) * phrases]]

        def others(rng: Rng = rng) -> Floats:
            return in_floats(part[int(rng.integers(len(part)))].samples)

        samples, words = _session(chosen, rng, others)
        audio = f"{number:02}.flac"
        yield audio, flac(samples)
        line = {
            "audio": audio,
            "text": " ".join(clip.text for clip in chosen),
            "phrases": [len(clip.words) for clip in chosen],
            "words": words,
        }
        lines.append(json.dumps(line))
    yield FILE_NAME, ("\n".join(lines) + "\n").encode()


def _session(
    clips: Sequence[Clip], rng: Rng, others: Callable[[], Floats]
) -> tuple[np.ndarray, list[list]]:
    """Samples, and each word with its begin and end in seconds."""
    pieces: list[Floats] = []
    words: list[list] = []
    length = 0

    def put(samples: Floats) -> None:
        nonlocal length
        pieces.append(samples)
        length += len(samples)

    for clip in clips:
        begin = length / RATE_HZ
        for word, (first, end) in zip(clip.text.split(), clip.words, strict=True):
            words.append([word, round(begin + first, 4), round(begin + end, 4)])
        put(at_level(in_floats(clip.samples), LEVEL_DBFS))
        pause = np.zeros(int(rng.uniform(*PAUSE_S) * RATE_HZ), np.float32)
        if rng.random() < NOISES:
            count = int(rng.uniform(*NOISE_S) * RATE_HZ)
            begin_at = int(rng.integers(0, len(pause) - count))
            made = burst(count, LEVEL_DBFS - NOISE_DB, rng, others)
            pause[begin_at : begin_at + count] = made
        put(pause)
    return noisy(as_16_bits(np.concatenate(pieces)), LEVEL_DBFS, UNDER_DB, rng, others), words
