"""Text broken into lines, for views that are read."""

import textwrap


def wrapped(words: str, width: int) -> list[str]:
    """The lines of a text, words kept whole."""
    return textwrap.wrap(words, width, break_long_words=False, break_on_hyphens=False)
