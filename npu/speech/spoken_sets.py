"""Sets of utterances with their texts: a `set.jsonl`, one utterance a line, beside its sounds.

    {"audio": "a.wav", "text": "open the window", "speaker": "ann", "recording": "tape 3",
     "kind": "command", "words": [["open", 0.31, 0.52], ["the", 0.52, 0.6], ["window", 0.6, 1.02]]}

`audio` is seen from the file's folder. The others but `text` may be left out. `recording` is what
an utterance was cut or spliced from: its own sound, if nothing is said. `kind` is that of the text,
and `words` has seconds, start and end. Where several phrases are said, `phrases` has how many words
each takes, in their order. An empty text is a sound in which nothing must be understood. `about`
holds anything else, and is not read.

Words are what stands between spaces, in lower case; nothing else is normalised.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from npu.errors import InputError
from npu.files import open_file, read_file, read_text
from npu.text import printable, shown

FILE_NAME = "set.jsonl"
MAX_BYTES = 1 << 28
MAX_SOUND_BYTES = 1 << 40
MOST_WORDS = 2_000
"""In an utterance: an alignment takes the product of both texts' words."""

_Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
_Name = Annotated[str, Field(min_length=1, max_length=1_000)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    audio: Annotated[str, Field(min_length=1, max_length=4_000)]
    text: str
    speaker: _Name | None = None
    recording: _Name | None = None
    kind: _Name | None = None
    words: tuple[tuple[str, _Seconds, _Seconds], ...] | None = None
    phrases: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    about: JsonValue = None


@dataclass(frozen=True)
class Said:
    """A phrase that was said, and the seconds in which its words lie."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Utterance:
    """A sound and what is said in it.

    Attributes
    ----------
    line : of the set's file, from 1.
    audio, path : as the set names it, and where it lies.
    words : in lower case; none where nothing must be understood.
    speaker : None where the set names none.
    recording : what it was cut or spliced from; `audio` where the set does not say.
    ends : seconds at which each word ends; None where the set does not say.
    kind : of text; None where the set names none.
    phrases : all of it in one, where the set does not say; none where it does not say when words
        end, or has none.
    """

    line: int
    audio: str
    path: Path
    words: tuple[str, ...]
    speaker: str | None
    recording: str
    ends: tuple[float, ...] | None
    kind: str | None = None
    phrases: tuple[Said, ...] = ()


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, as they are compared."""
    return tuple(text.lower().split())


def set_file(place: str | Path) -> Path:
    """The file of a set that is named by its folder, or by itself."""
    path = Path(place)
    return path / FILE_NAME if path.is_dir() else path


def read_set(place: str | Path) -> list[Utterance]:
    """The utterances of a set, in its order.

    Raises InputError, with the line, for what is no such file, for a wrong key or value, for a
    sound that is not there, and for one that stands there twice.
    """
    path = set_file(place)
    found = [_utterance(path, number, text) for number, text in _lines(path)]
    if not found:
        raise InputError(f"{path}: holds no utterance; give one a line")
    seen: dict[str, int] = {}
    for each in found:
        first = seen.setdefault(each.audio, each.line)
        if first != each.line:
            raise InputError(
                f"{_where(path, each.line)}: audio {shown(each.audio)} is that of line {first} "
                "too; an utterance counts once, take one of them out"
            )
        if not each.path.is_file():
            raise InputError(
                f"{_where(path, each.line)}: there is no sound {shown(str(each.path))}; audio is "
                "seen from the folder of the set"
            )
    return found


def set_digest(place: str | Path, utterances: Sequence[Utterance]) -> str:
    """SHA-256 of a set: of its file, and of the SHA-256 of each of its sounds behind it, in order.

    Raises InputError for what cannot be read.
    """
    whole = hashlib.sha256(read_file(set_file(place), MAX_BYTES, InputError))
    for each in utterances:
        with open_file(each.path, MAX_SOUND_BYTES, InputError) as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    lines = read_text(path, MAX_BYTES, InputError).split("\n")
    return ((number, line) for number, line in enumerate(lines, 1) if line.strip())


def _where(path: Path, number: int) -> str:
    return f"{path}: line {number}"


def _utterance(path: Path, number: int, text: str) -> Utterance:
    where = _where(path, number)
    try:
        line = _Line.model_validate_json(text)
    except ValidationError as error:
        told = "; ".join(_told(each) for each in error.errors(include_url=False)[:3])
        raise InputError(f"{where}: {told}") from error
    words = words_of(line.text)
    if len(words) > MOST_WORDS:
        raise InputError(
            f"{where}: text has {len(words):,} words, at most {MOST_WORDS:,} are compared in an "
            "utterance; cut the sound into sentences"
        )
    ends = None if line.words is None else _ends(where, words, line.words)
    recording = line.audio if line.recording is None else line.recording
    place = path.parent / line.audio
    phrases = tuple(_phrases(where, line))
    return Utterance(
        number, line.audio, place, words, line.speaker, recording, ends, line.kind, phrases
    )


def _phrases(where: str, line: _Line) -> Iterator[Said]:
    words = line.words or ()
    counts = line.phrases if line.phrases is not None else (len(words),)
    if line.phrases is not None and line.words is None:
        raise InputError(f"{where}: phrases are of words with times; give words too")
    if line.phrases is not None and sum(counts) != len(words):
        raise InputError(
            f"{where}: phrases have {sum(counts):,} words together, words are {len(words):,}"
        )
    begin = 0
    for count in counts:
        of = words[begin : begin + count]
        begin += count
        if of:
            yield Said(" ".join(word.lower() for word, _, _ in of), of[0][1], of[-1][2])


def _ends(
    where: str, words: Sequence[str], timed: Sequence[tuple[str, float, float]]
) -> tuple[float, ...]:
    spelled = tuple(word.lower() for word, _, _ in timed)
    if spelled != tuple(words):
        raise InputError(
            f"{where}: words must be those of the text, {shown(list(words))}, not "
            f"{shown(list(spelled))}"
        )
    for word, start, end in timed:
        if end < start:
            raise InputError(f"{where}: word {shown(word)} ends at {end:g} s, before its {start:g}")
    return tuple(end for _, _, end in timed)


def _told(error: ErrorDetails) -> str:
    """One problem: the key, what is wrong, the value."""
    key = printable(".".join(str(part) for part in error["loc"]))
    match error["type"]:
        case "json_invalid":
            # Of the text that was given, which is one line.
            reason = str(error["ctx"]["error"]).replace(" at line 1 column", " at column")
            return f"is no JSON object: {reason}; correct the line"
        case "model_type":
            return f"must be a JSON object, not {shown(error['input'])}"
        case "missing":
            return f"{key} is missing"
        case "extra_forbidden":
            known = ", ".join(_Line.model_fields)
            return f"{key} is not a known key; there are {known}, and about takes anything"
    wanted = error["msg"].removeprefix("Input ").removeprefix("String ").removeprefix("should ")
    return f"{key} must {wanted}, not {shown(error['input'])}"
