"""What was said, in the files of other tools: NIST's CTM, and SubRip's subtitles."""

from collections.abc import Iterable
from pathlib import Path

from npu.speech.stream import Spoken


def ctm(path: str | Path, channel: int, phrases: Iterable[Spoken]) -> str:
    """A line for each word, as sclite and Kaldi read them: name of the sound, channel, start,
    duration, word. Times are of the symbols, see `npu.speech.stream.Word`.

    path : of the sound; its name without the suffix counts, and has no spaces there.
    channel : from 1.
    """
    name = "_".join(Path(path).stem.split()) or "sound"
    return "".join(
        f"{name} {channel} {word.start:.2f} {word.end - word.start:.2f} {word.text}\n"
        for phrase in phrases
        for word in phrase.words
    )


def srt(phrases: Iterable[Spoken]) -> str:
    """Phrases as numbered subtitles."""
    return "".join(
        f"{number}\n{_clock(phrase.start)} --> {_clock(phrase.end)}\n{phrase.text}\n\n"
        for number, phrase in enumerate((each for each in phrases if each.text), start=1)
    )


def _clock(seconds: float) -> str:
    """As 00:01:02,345."""
    left, milli = divmod(round(seconds * 1000), 1000)
    left, second = divmod(left, 60)
    hour, minute = divmod(left, 60)
    return f"{hour:02}:{minute:02}:{second:02},{milli:03}"
