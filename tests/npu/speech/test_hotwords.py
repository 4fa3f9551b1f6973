"""Boosted phrases: what a string is worth beside a search for every phrase in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.errors import InputError
from npu.model.tokens import Tokens
from npu.speech.hotwords import WEIGHT, Boost, Hotword, read_hotwords
from npu.speech.scores import ONE

TOKENS = Tokens(("<blk>", " ", "a", "b", "c"))
WORDS = st.text("abc", min_size=1, max_size=3)
PHRASES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)
HOTWORDS = st.dictionaries(PHRASES, st.integers(-3, 3), min_size=1, max_size=6)
SYMBOLS = {symbol: index for index, symbol in enumerate(TOKENS.symbols)}


def boost_of(words: dict[str, float]) -> Boost:
    return Boost([Hotword(phrase, weight) for phrase, weight in words.items()], TOKENS)


def walked(boost: Boost, text: str) -> tuple[list[int], int]:
    """What was added up to each symbol, and the last state."""
    state, total, totals = boost.start, 0, []
    for letter in text:
        added, behind = boost.row(state)
        total += int(added[SYMBOLS[letter]])
        state = int(behind[SYMBOLS[letter]])
        totals.append(total)
    return totals, state


def worth(words: dict[str, float], text: str) -> int:
    """Of all phrases at all places."""
    padded = f" {text} "
    found = 0
    for phrase, weight in words.items():
        inner = f" {phrase} "
        places = sum(padded.startswith(inner, at) for at in range(len(padded)))
        found += places * round(weight * ONE) * len(phrase.replace(" ", ""))
    return found


@given(words=HOTWORDS, text=st.text(" abc", max_size=24))
def test_a_string_is_worth_its_phrases(words, text):
    boost = boost_of(words)
    totals, state = walked(boost, text)
    assert (totals or [0])[-1] + boost.end(state) == worth(words, text)


@given(words=HOTWORDS, text=PHRASES)
def test_how_far_it_was_spelt_does_not_matter_later(words, text):
    """A string's state and worth follow from its last symbols: the same behind any other word."""
    boost = boost_of(words)
    alone, state = walked(boost, text)
    behind, same = walked(boost, f"cccc {text}")
    assert same == state or "cccc" in " ".join(words)
    assert [each - behind[4] for each in behind[5:]] == alone or "cccc" in " ".join(words)


def test_a_bonus_comes_letter_by_letter():
    boost = boost_of({"ab": 2.0, "ab ca": 1.0})
    totals, state = walked(boost, "ab ca")
    # "ab" is complete with the space: it keeps 4, and may become the longer one.
    assert [each / ONE for each in totals] == [2, 4, 6, 7, 8]
    assert boost.end(state) == 0 * ONE
    totals, _ = walked(boost, "ab cb")
    assert [each / ONE for each in totals] == [2, 4, 6, 7, 4]


def test_a_word_is_no_part_of_another():
    boost = boost_of({"ab": 2.0})
    for text in ("abc", "cab", "a b"):
        totals, state = walked(boost, text)
        assert totals[-1] + boost.end(state) == 0


def test_a_beginning_does_not_swallow_what_follows():
    """icefall's issue 1948: the phrase comes behind the broken beginning of another one."""
    boost = boost_of({"aa ab": 1.0, "ab": 1.0, "ab c": 1.0})
    totals, state = walked(boost, "aa ab c")
    assert totals[-1] + boost.end(state) == (4 + 2 + 3) * ONE


def test_an_open_phrase_inside_of_another_one():
    """A beginning that is worth nothing itself does not hide one that is."""
    boost = boost_of({"cab aab": 2.0, "bb cab": -1.0})
    totals, _ = walked(boost, "bb cab")
    assert totals[-1] == 6 * ONE


def test_how_much_a_symbol_may_add():
    boost = boost_of({"ab": 2.0, "a": 1.5, "cc": -3.0})
    steps = [int(boost.row(state)[0].max()) for state in range(len(boost))]
    assert boost.most == max(steps) == 2 * ONE


def test_what_a_whole_string_gets():
    boost = boost_of({"ab": 2.0})
    assert boost.worth([SYMBOLS[each] for each in "c ab"]) == 4 * ONE
    assert boost.worth([SYMBOLS[each] for each in "c abc"]) == 0


def test_letters_in_the_case_of_the_model():
    assert walked(boost_of({"AB": 1.0}), "ab")[0][-1] == 2 * ONE


def test_a_list_is_read(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("anna\n\n call  eva :2.5\nnow: :-1\n", encoding="utf-8")
    assert read_hotwords(path, 3) == [
        Hotword("anna", 3),
        Hotword("call eva", 2.5),
        Hotword("now:", -1),
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no phrase"),
        ("a\nb\na :2", 'line 3: "a" is there twice'),
        ("a :x", 'line 1: a weight must be -20 to 20, not "x"'),
        ("a :nan", "a weight must be"),
        ("a :21", "a weight must be"),
        (":2", "has a weight and no phrase"),
    ],
)
def test_lists_that_are_wrong(tmp_path, text, match):
    (tmp_path / "words.txt").write_text(text)
    with pytest.raises(InputError, match=match):
        read_hotwords(tmp_path / "words.txt")


def test_what_cannot_be_spelt():
    with pytest.raises(
        InputError, match='hotword "abd": "d" is no symbol of the model; it has: a b'
    ):
        boost_of({"abd": 1.0})
    with pytest.raises(InputError, match="is longer than 200"):
        boost_of({"a" * 201: 1.0})
    with pytest.raises(InputError, match="is there twice, in letters of another case"):
        boost_of({"ab": 1.0, "aB": 2.0})
    for pieces in ((" a", "b"), (" ", "ab", "a", "b")):
        with pytest.raises(InputError, match="are pieces of words, such as"):
            Boost([Hotword("a", 1)], Tokens(("<blk>", *pieces)))
    with pytest.raises(InputError, match="has no space among its symbols"):
        Boost([Hotword("a", 1)], Tokens(("<blk>", "a", "</s>")))
    with pytest.raises(InputError, match="more than 1,000,000 letters"):
        Boost([Hotword("a" * 200, 1)] * 5001, TOKENS)


def test_the_end_that_a_model_tells_ends_the_last_word():
    tokens = Tokens(("<blk>", "a", "b", " ", "</s>"))
    boost = Boost([Hotword("ab", 1.0)], tokens)
    assert boost.worth([1, 2, 4]) == boost.worth([1, 2]) == boost.worth([1, 2, 4, 4])
    assert boost.worth([1, 2, 4]) > 0 == boost.worth([1, 4, 2])


def test_a_line_of_blanks_takes_no_time(tmp_path):
    (tmp_path / "words.txt").write_text("a" + " " * 1_000_000 + "b\n")
    assert read_hotwords(tmp_path / "words.txt") == [Hotword("a b", WEIGHT)]
