"""Recordings of people, from installed packages, as sets for `npu evaluate`: never for training.

    python -m reports.people -o people
    npu evaluate commands_rnnt people

FOLDER gets a folder for each speaker with a set of its own, and a set of all of them. What is
spoken is what the packages say: file names (alsa-utils says "Front Left" in `Front_Left.wav`;
digits stand in the names of TIDIGITS, z for zero and o for oh), transcripts, the grammar of a
recording. `numbers.raw` and `something.raw` of pocketsphinx are left out, as nothing says what is
spoken there. alsa-utils' noise is a sound in which nothing must be understood.
"""

import argparse
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from npu.errors import NpuError
from npu.files import read_file, read_text, require_place_of_folder, write_folder
from npu.speech.spoken_sets import FILE_NAME

ALSA = "usr/share/sounds/alsa"
SPHINX = "usr/share/pocketsphinx/test/data"
MOST_BYTES = 1 << 26
RAW_RATE = 16_000
"""Hertz of pocketsphinx's `.raw` files, which are of 16 bits, mono, little-endian."""

DIGITS = {
    "z": "zero",
    "o": "oh",
    "1": "one",
    "2": "two",
    "3": "three",
    "4": "four",
    "5": "five",
    "6": "six",
    "7": "seven",
    "8": "eight",
    "9": "nine",
}
_TRANSCRIPT = re.compile(r"<s>\s*(.*?)\s*</s>\s*\((\S+)\)")
_GRAMMAR = re.compile(r"public\s+<move>\s*=\s*([^;<|]+);")


class Spoken(NamedTuple):
    """A recording: where it is, and its text."""

    path: Path
    text: str


def alsa(folder: Path) -> Iterator[Spoken]:
    """Names of loudspeakers, and noise."""
    for path in sorted(folder.glob("*.wav")):
        yield Spoken(path, "" if path.stem == "Noise" else path.stem.replace("_", " ").lower())


def transcribed(folder: Path, transcript: str) -> Iterator[Spoken]:
    """The WAV files that a transcript of Sphinx names: `<s> text </s> (name)`."""
    text = read_text(folder / transcript, MOST_BYTES)
    for words, name in _TRANSCRIPT.findall(text):
        yield Spoken(folder / f"{name}.wav", words)


def turtle(folder: Path) -> Iterator[Spoken]:
    """The recording that a grammar was written for."""
    found = _GRAMMAR.search(read_text(folder / "goforward.gram", MOST_BYTES))
    if found is None:
        raise NpuError(f"{folder / 'goforward.gram'}: has no <move>, which says what is spoken")
    yield Spoken(folder / "goforward.raw", found[1].strip())


def tidigits(folder: Path) -> Iterator[Spoken]:
    """Digits, which stand in the file's name."""
    for path in sorted(folder.glob("*.raw")):
        name = path.stem.rpartition(".")[2]
        yield Spoken(path, " ".join(DIGITS[digit] for digit in name if digit in DIGITS))


class Source(NamedTuple):
    """A speaker: the Debian package that brings the recordings, their folder, how to read it."""

    speaker: str
    package: str
    folder: str
    read: Callable[[Path], Iterator[Spoken]]


SOURCES = (
    Source("alsa", "alsa-utils", ALSA, alsa),
    Source(
        "cards",
        "pocketsphinx-testdata",
        f"{SPHINX}/cards",
        lambda folder: transcribed(folder, "cards.transcription"),
    ),
    Source("turtle", "pocketsphinx-testdata", SPHINX, turtle),
    Source("tidigits", "pocketsphinx-testdata", f"{SPHINX}/tidigits", tidigits),
    Source(
        "librivox",
        "pocketsphinx-testdata",
        f"{SPHINX}/librivox",
        lambda folder: transcribed(folder, "transcription"),
    ),
)


def build(target: Path, root: Path = Path("/")) -> tuple[dict[str, int], list[str]]:
    """Write the sets; how many recordings each speaker has, and the packages that are not there.

    Raises NpuError where none is there, and where one cannot be read or written.
    """
    there = [source for source in SOURCES if (root / source.folder).is_dir()]
    missing = sorted({source.package for source in SOURCES if source not in there})
    if not there:
        raise NpuError(
            f"no recordings are installed: sudo apt-get install {' '.join(missing)} brings them"
        )
    place = require_place_of_folder(target)
    everything: list[str] = []
    counts: dict[str, int] = {}
    made = [(source, list(source.read(root / source.folder))) for source in there]
    files = {
        (source.speaker, f"{each.path.stem}.wav"): _wav(each.path)
        for source, spoken in made
        for each in spoken
    }
    place.mkdir(exist_ok=True)
    for source, spoken in made:
        speaker = source.speaker
        lines = [_line(f"{each.path.stem}.wav", each.text, speaker) for each in spoken]
        everything += [
            _line(f"{speaker}/{each.path.stem}.wav", each.text, speaker) for each in spoken
        ]
        own = {name: data for (of, name), data in files.items() if of == speaker}
        write_folder(place / speaker, {**own, FILE_NAME: "".join(lines).encode()})
        counts[speaker] = len(spoken)
    write_folder(place, {FILE_NAME: "".join(everything).encode()})
    return counts, missing


def _line(audio: str, text: str, speaker: str) -> str:
    return json.dumps({"audio": audio, "text": text, "speaker": speaker}) + "\n"


def _wav(path: Path) -> bytes:
    data = read_file(path, MOST_BYTES)
    if path.suffix != ".raw":
        return data
    if not data or len(data) % 2:
        raise NpuError(f"{path}: has {len(data)} bytes, which are no samples of 16 bits")
    out = io.BytesIO()
    soundfile.write(out, np.frombuffer(data, "<i2"), RAW_RATE, subtype="PCM_16", format="WAV")
    return out.getvalue()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m reports.people", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("-o", type=Path, metavar="FOLDER", required=True, help="where sets go")
    given = parser.parse_args(arguments)
    try:
        counts, missing = build(given.o)
    except NpuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for speaker, count in counts.items():
        print(f"{given.o / speaker}: {count} recordings")
    print(f"{given.o}: all {sum(counts.values())}")
    for package in missing:
        print(f"not installed: sudo apt-get install {package} brings more", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
