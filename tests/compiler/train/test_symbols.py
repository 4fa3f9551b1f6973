"""Symbols and their times."""

import numpy as np
import pytest

from compiler.train.symbols import BLANK, SPACE, SYMBOLS, symbols_of, text_of


def test_symbols_are_names_in_order():
    symbols, ends, onsets = symbols_of("it's on", [(0.1, 0.5), (0.6, 1.0)])
    assert [SYMBOLS[n] for n in symbols] == ["i", "t", "'", "s", "<space>", "o", "n"]
    assert ends == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0])
    assert np.array_equal(onsets, np.full(7, 0.1))
    assert text_of(symbols) == "it's on"


def test_blanks_and_reserved_names_say_nothing_and_an_end_is_a_space():
    assert SYMBOLS[BLANK] == "<blk>"
    assert SYMBOLS[SPACE] == "<space>"
    assert text_of(range(len(SYMBOLS))) == " abcdefghijklmnopqrstuvwxyz' "
    assert len(set(SYMBOLS)) == len(SYMBOLS)


def test_nothing_has_no_symbols():
    symbols, ends, onsets = symbols_of("", [])
    assert (symbols, len(ends), len(onsets)) == ([], 0, 0)


def test_words_without_a_time():
    with pytest.raises(ValueError, match="zip"):
        symbols_of("a b", [(0.0, 1.0)])
