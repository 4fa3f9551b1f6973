"""What was said, in the files of other tools: NIST's CTM, and SubRip's subtitles."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from npu.errors import InputError
from npu.speech.stream import Spoken


def ctm(path: str | Path, channel: int, phrases: Iterable[Spoken]) -> str:
    """A line for each word, as sclite and Kaldi read them: name of the sound, channel, start,
    duration, word, and its confidence where it is known. Times are of the symbols, see
    `npu.speech.stream.Word`.

    path : of the sound; its name without the suffix counts, and has no spaces there.
    channel : from 1.
    """
    lines = []
    for word in (word for phrase in phrases for word in phrase.words):
        line = f"{name_of(path)} {channel} {word.start:.2f} {word.end - word.start:.2f} {word.text}"
        lines.append(line if word.confidence is None else f"{line} {word.confidence:.4f}")
    return "".join(f"{line}\n" for line in lines)


def nbest(path: str | Path, phrases: Iterable[Spoken]) -> str:
    """A line for each text that a beam has kept, tabs between its parts: name of the sound with the
    numbers of phrase and text from 1, logarithm of its probability, text. As Kaldi names them.
    """
    return "".join(
        f"{name_of(path)}-{number}-{place}\t{each.score:.4f}\t{each.text}\n"
        for number, phrase in enumerate(phrases, start=1)
        for place, each in enumerate(phrase.alternatives, start=1)
    )


def srt(phrases: Iterable[Spoken]) -> str:
    """Phrases as numbered subtitles."""
    return "".join(
        f"{number}\n{_clock(phrase.start)} --> {_clock(phrase.end)}\n{phrase.text}\n\n"
        for number, phrase in enumerate((each for each in phrases if each.text), start=1)
    )


def require_names(paths: Sequence[str | Path]) -> None:
    """Raise InputError for two sounds that would have one name in a file of words."""
    names: dict[str, str | Path] = {}
    for path in paths:
        if (other := names.setdefault(name := name_of(path), path)) != path:
            raise InputError(
                f"{other} and {path} would both be called {name!r}; take one at a time, or "
                "rename one"
            )


def name_of(path: str | Path) -> str:
    """What a sound is called in such files: the file's name, without its ending and spaces."""
    return "_".join(Path(path).stem.split()) or "sound"


def _clock(seconds: float) -> str:
    """As 00:01:02,345."""
    left, milli = divmod(round(seconds * 1000), 1000)
    left, second = divmod(left, 60)
    hour, minute = divmod(left, 60)
    return f"{hour:02}:{minute:02}:{second:02},{milli:03}"
