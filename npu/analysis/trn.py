"""Texts as NIST's `.trn`, a line `words (speaker-number)` each: for sclite and its kin.

Their format takes braces, slashes, parentheses and a few more for its own; such a character of a
word is written as `%` and its code, in both files, so that equal words stay equal and others not.
"""

import re
from collections.abc import Sequence

from npu.speech.spoken_sets import Utterance

_TAKEN = re.compile(r"[%(){}<>/@;*\\]")
_NO_NAME = re.compile(r"[^A-Za-z0-9]")


def trn(utterances: Sequence[Utterance], texts: Sequence[Sequence[str]]) -> bytes:
    """A file of texts, each of words. An utterance is called after speaker and line of the set."""
    lines = []
    for utterance, words in zip(utterances, texts, strict=True):
        speaker = _NO_NAME.sub("", utterance.speaker or "") or "speaker"
        text = " ".join(_word(word) for word in words)
        lines.append(f"{text} ({speaker}-{utterance.line:06d})\n".lstrip())
    return "".join(lines).encode("utf-8", "replace")


def _word(word: str) -> str:
    return _TAKEN.sub(lambda found: f"%{ord(found[0]):02x}", word)
