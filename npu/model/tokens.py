"""The symbols of a transducer: its `tokens.txt`, and the text that symbols stand for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from npu.errors import ModelError
from npu.files import read_text
from npu.text import shown

MAX_BYTES = 4 << 20
"""Of a `tokens.txt`, which takes some 20 bytes a symbol."""

BLANK_SYMBOLS = ("<blk>", "<blank>", "<b>", "<eps>")
# Symbols that a model may emit and that stand for no text.
UNWRITTEN_SYMBOLS = (*BLANK_SYMBOLS, "<unk>", "<UNK>", "<sos/eos>", "<sos>", "<eos>", "<s>")
END_SYMBOL = "</s>"
"""Of a model that learnt to tell that a phrase has ended. If another follows, a word has ended."""
WORD_MARK = "\u2581"
# Of icefall's lexicons: behind the model's symbols, never emitted.
_DISAMBIGUATION = re.compile(r"#[0-9]+")
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def load_tokens(path: str | Path) -> list[str]:
    """Read a `tokens.txt`: see `tokens_of`."""
    return tokens_of(read_text(Path(path), MAX_BYTES, ModelError), path)


def tokens_of(text: str, path: str | Path) -> list[str]:
    """What a `tokens.txt` says: one `symbol id` per line, as icefall and sherpa-onnx write it.

    `<space>` stands for a space, and so does `\u2581`, with which BPE pieces mark a word's start.
    Disambiguation symbols (`#0`, `#1`, ...) are left out: they follow the symbols of the model.

    Returns
    -------
    list of str
        The symbols by id; entry 0 is the blank's name.

    Raises
    ------
    ModelError
        The file is missing or empty, a line is malformed, an id or a symbol appears twice, ids
        are not 0 .. n-1, or id 0 is not the blank: one message names all of it.
    """
    problems = []
    line_of_id: dict[int, int] = {}
    line_of_symbol: dict[str, int] = {}
    symbol_of_id: dict[int, str] = {}
    lines = text.rstrip("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        found = re.fullmatch(r"([^ \t]+)[ \t]+([0-9]{1,9})[ \t]*", line)
        if not found:
            problems.append(f"line {number} must be `symbol id`, not {shown(line)}")
            continue
        symbol, index = found[1], int(found[2])
        if _DISAMBIGUATION.fullmatch(symbol):
            continue
        if index in line_of_id:
            problems.append(f"line {number} repeats id {index} of line {line_of_id[index]}")
        if symbol in line_of_symbol:
            problems.append(
                f"line {number} repeats symbol {shown(symbol)} of line {line_of_symbol[symbol]}"
            )
        line_of_id.setdefault(index, number)
        line_of_symbol.setdefault(symbol, number)
        symbol_of_id.setdefault(index, symbol)
    if not symbol_of_id and not problems:
        problems.append("holds no symbols")
    if symbol_of_id:
        blank = symbol_of_id.get(0)
        if blank is not None and blank not in BLANK_SYMBOLS:
            problems.append(
                f"id 0 must be the blank ({', '.join(BLANK_SYMBOLS)}), not {shown(blank)}"
            )
        # Counted by lines, so that one huge id cannot make a huge list.
        missing = [i for i in range(len(symbol_of_id)) if i not in symbol_of_id]
        problems += [
            f"id {i} is missing: {len(symbol_of_id)} ids must be 0 to {len(symbol_of_id) - 1}"
            for i in missing[:1]
        ]
    if problems:
        raise ModelError(f"{path}: " + "; ".join(problems))
    symbols = (symbol_of_id[i] for i in range(len(symbol_of_id)))
    return [" " if s == "<space>" else s.replace(WORD_MARK, " ") for s in symbols]


@dataclass(frozen=True)
class Tokens:
    """The symbols of a model by id; entry 0 is the blank, which has no text."""

    symbols: tuple[str, ...]

    @classmethod
    def load(cls, path: str | Path) -> "Tokens":
        """As `load_tokens`."""
        return cls(tuple(load_tokens(path)))

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def end(self) -> int | None:
        """The symbol that tells the end of a phrase; None where there is none."""
        return self.symbols.index(END_SYMBOL) if END_SYMBOL in self.symbols else None

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, each 0 .. len - 1, without spaces at either end.

        Blank, `<unk>`, `<sos/eos>` and their like have no text, `</s>` ends a word. `<0xE2>` is a
        byte of UTF-8, as of byte-level BPE; bytes that are no character become U+FFFD.

        Raises
        ------
        ModelError
            An id is outside 0 .. len - 1: the joiner and `tokens.txt` do not belong together.
        """
        symbols = list(ids)
        text = b"".join(self.piece(index) for index in symbols).decode("utf-8", "replace")
        # A space may stand on either side of such an end.
        return " ".join(text.split()) if self.end in symbols else text.strip(" ")

    def words(self, ids: Iterable[int]) -> list[tuple[str, int, int]]:
        """The words of the text of `ids`, with the places of their first and last symbols in it.

        Raises what `decode` raises.
        """
        found: list[tuple[str, int, int]] = []
        word, first, last = b"", 0, 0

        def end() -> None:
            if word:
                found.append((word.decode("utf-8", "replace"), first, last))

        for place, index in enumerate(ids):
            for number, part in enumerate(self.piece(index).split(b" ")):
                if number:
                    end()
                    word = b""
                if part:
                    first, last = place if not word else first, place
                    word += part
        end()
        return found

    def piece(self, index: int) -> bytes:
        """The text of a symbol, as `decode` says, in bytes of UTF-8."""
        if not 0 <= index < len(self.symbols):
            raise ModelError(
                f"symbol id {index} is not in tokens.txt, which has ids 0 to "
                f"{len(self.symbols) - 1}; use the tokens.txt of this model"
            )
        symbol = self.symbols[index]
        if byte := _BYTE.fullmatch(symbol):
            return bytes.fromhex(byte[1])
        if not index or symbol in UNWRITTEN_SYMBOLS:
            return b""
        if symbol == END_SYMBOL:
            return b" "
        return symbol.encode("utf-8", "replace")
