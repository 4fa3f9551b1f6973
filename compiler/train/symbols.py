"""The alphabet: blank, characters, and names that later models need."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from npu.model.tokens import END_SYMBOL

BLANK = 0
SPACE = 1
_LETTERS = "abcdefghijklmnopqrstuvwxyz'"
# The end of a phrase, where a turn begins and ends, intents and slots.
_RESERVED = (END_SYMBOL, "<sot>", "<eot>", *(f"<tag{n}>" for n in range(6)))
SYMBOLS = ("<blk>", "<space>", *_LETTERS, *_RESERVED)
END = SYMBOLS.index(END_SYMBOL)
_NUMBER = {" ": SPACE} | {letter: 2 + n for n, letter in enumerate(_LETTERS)}


def text_of(symbols: Sequence[int]) -> str:
    """The text of symbols; an end is a space, blanks and other reserved names say nothing."""
    letters = {number: letter for letter, number in _NUMBER.items()} | {END: " "}
    return "".join(letters.get(int(symbol), "") for symbol in symbols)


def symbols_of(
    text: str, words: Sequence[tuple[float, float]]
) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
    """A text's symbols.

    Parameters
    ----------
    text : words with one space between them.
    words : begin and end of each, in seconds.

    Returns
    -------
    symbols : one for each character.
    ends : of each symbol, in seconds: a word's letters share its time, a space ends where the next
        word begins.
    onsets : of the phrase that each belongs to, in seconds.
    """
    symbols: list[int] = []
    ends: list[float] = []
    for n, (word, (begin, end)) in enumerate(zip(text.split(), words, strict=True)):
        if n:
            symbols.append(SPACE)
            ends.append(begin)
        symbols += [_NUMBER[letter] for letter in word]
        ends += list(begin + (end - begin) * np.arange(1, len(word) + 1) / len(word))
    onset = words[0][0] if words else 0.0
    return symbols, np.array(ends), np.full(len(symbols), onset)
