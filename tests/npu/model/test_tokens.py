"""Every wrong line of a `tokens.txt` is named in one message; what symbols stand for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu import zoo
from npu.errors import ModelError
from npu.model.tokens import Tokens, load_tokens

TOKENS = zoo.path("commands_rnnt") / "tokens.txt"


def test_tokens_of_the_trained_model():
    symbols = load_tokens(TOKENS)
    assert symbols == ["<blk>", " ", *"abcdefghijklmnopqrstuvwxyz"]
    tokens = Tokens.load(TOKENS)
    assert tokens.symbols == tuple(symbols) and len(tokens) == 28


@pytest.mark.parametrize("text", ["é 1\n<blk> 0\n", "<blank> 0\r\né\t1", "<eps> 0 \né  1\n\n"])
def test_tokens_in_any_order_and_spacing(tmp_path, text):
    path = tmp_path / "tokens.txt"
    path.write_bytes(text.encode())
    assert load_tokens(path)[1] == "é"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'line 1 must be `symbol id`, not ""'),
        ("<blk> 0\na", 'line 2 must be `symbol id`, not "a"'),
        ("<blk> 0\n\na 1", 'line 2 must be `symbol id`, not ""'),
        ("<blk> 0\na b 1", 'line 2 must be `symbol id`, not "a b 1"'),
        ("<blk> 0\na -1", 'line 2 must be `symbol id`, not "a -1"'),
        ("<blk> 0\n  1", 'line 2 must be `symbol id`, not "  1"'),
        ("<blk> 0\na ١", 'line 2 must be `symbol id`, not "a ١"'),
        ("<blk> 0\na 1\nb 1", "line 3 repeats id 1 of line 2"),
        ("<blk> 0\na 1\na 2", 'line 3 repeats symbol "a" of line 2'),
        ("<blk> 0\na 2", "id 1 is missing: 2 ids must be 0 to 1"),
        ("a 1", "id 0 is missing: 1 ids must be 0 to 0"),
        ("#0 0\n#1 1", "holds no symbols"),
        ("<blk> 0\n#0 1\na 2", "id 1 is missing: 2 ids must be 0 to 1"),
        ("<blk> 0\na 999999999", "id 1 is missing: 2 ids must be 0 to 1"),
        ("a 0\nb 1", 'id 0 must be the blank (<blk>, <blank>, <b>, <eps>), not "a"'),
        (
            "a 0\nb\nc 2\nc 2",
            (
                'line 2 must be `symbol id`, not "b"; line 4 repeats id 2 of line 3; '
                'line 4 repeats symbol "c" of line 3; '
                'id 0 must be the blank (<blk>, <blank>, <b>, <eps>), not "a"; '
                "id 1 is missing: 2 ids must be 0 to 1"
            ),
        ),
    ],
)
def test_wrong_tokens_are_named(tmp_path, text, message):
    path = tmp_path / "tokens.txt"
    path.write_text(text)
    with pytest.raises(ModelError) as caught:
        load_tokens(path)
    assert str(caught.value) == f"{path}: {message}"


ICEFALL = "<blk> 0\n<sos/eos> 1\n<unk> 2\nS 3\n▁THE 4\n▁A 5\nT 6\n▁ 7\nED 8\n#0 9\n#1 10\n"


def test_tokens_of_icefall(tmp_path):
    """Pieces that mark a word's start, and disambiguation symbols behind those of the model."""
    path = tmp_path / "tokens.txt"
    path.write_text(ICEFALL, encoding="utf-8")
    tokens = Tokens.load(path)
    assert tokens.symbols == ("<blk>", "<sos/eos>", "<unk>", "S", " THE", " A", "T", " ", "ED")
    assert tokens.decode([4, 5, 3, 8, 7, 6]) == "THE ASED T"
    assert tokens.decode([1, 4, 2, 2, 0, 5, 1]) == "THE A"


def test_a_byte_order_mark_is_no_symbol(tmp_path):
    """As the editor of Windows writes it."""
    path = tmp_path / "tokens.txt"
    path.write_text(ICEFALL, encoding="utf-8-sig")
    assert Tokens.load(path).symbols[0] == "<blk>"


def test_tokens_of_byte_level_bpe(tmp_path):
    path = tmp_path / "tokens.txt"
    lines = ["<blk> 0", "<sos/eos> 1", "<unk> 2"]
    lines += [f"<0x{byte:02X}> {3 + byte}" for byte in range(256)]
    path.write_text("\n".join([*lines, "▁the 259"]), encoding="utf-8")
    tokens = Tokens.load(path)
    text = "é的a"
    assert tokens.decode([259, *(3 + byte for byte in b" " + text.encode())]) == f"the {text}"
    assert tokens.decode([3 + 0xE2, 259]) == "\ufffd the"


def test_decoding_joins_symbols_and_strips_spaces():
    tokens = Tokens(("<blk>", " ", "a", "b"))
    assert tokens.decode([1, 2, 1, 3, 0, 3, 1]) == "a bb"
    assert tokens.decode([]) == tokens.decode([0, 1]) == ""


@pytest.mark.parametrize("index", [-1, 2])
def test_an_id_beyond_the_tokens(index):
    message = re.escape(f"symbol id {index} is not in tokens.txt, which has ids 0 to 1; use the")
    with pytest.raises(ModelError, match=message):
        Tokens(("<blk>", "a")).decode([1, index])


def test_words_with_the_places_of_their_symbols():
    tokens = Tokens(("<blk>", " ", "a", "b", " the", "y", "<0xC3>", "<0xA9>", "a b"))
    assert tokens.words([2, 3, 1, 3]) == [("ab", 0, 1), ("b", 3, 3)]
    # Pieces with their space, symbols without text, a letter in two bytes.
    assert tokens.words([4, 0, 5, 4, 6, 7]) == [("they", 0, 2), ("the\u00e9", 3, 5)]
    assert tokens.words([1, 2, 8, 1]) == [("aa", 1, 2), ("b", 2, 2)]
    assert tokens.words([]) == tokens.words([1, 0, 1]) == []


@given(st.lists(st.integers(0, 8)))
def test_words_are_those_of_the_text(ids):
    tokens = Tokens(("<blk>", " ", "a", "b", " the", "y", "<0xC3>", "<0xA9>", "a b"))
    words = tokens.words(ids)
    assert [word for word, _, _ in words] == tokens.decode(ids).split()
    places = [place for _, first, last in words for place in (first, last)]
    assert places == sorted(places)


def test_an_end_ends_a_word():
    tokens = Tokens(("<blk>", " ", "a", "b", "</s>"))
    assert tokens.end == 4 and Tokens(("<blk>", "a")).end is None
    assert [tokens.decode(ids) for ids in ([2, 4], [2, 4, 3], [2, 1, 4, 3], [4], [])] == [
        "a",
        "a b",
        "a b",
        "",
        "",
    ]
    assert tokens.words([2, 4, 3, 4]) == [("a", 0, 0), ("b", 2, 2)]
