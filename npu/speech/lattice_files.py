"""Lattices in the files of other tools: OpenFst's text, Kaldi's text archive, Graphviz's DOT.

A lattice's name is that of its sound and the number of its phrase, as `npu.speech.captions.nbest`
names them. Costs are negative logarithms of probabilities, in nats.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from npu.speech.captions import name_of
from npu.speech.lattice import End, Lattice
from npu.speech.scores import ONE
from npu.speech.stream import Spoken

SYMBOLS = "words.syms"
EPSILON = "<eps>"
"""What OpenFst calls label 0, which stands for no word."""


def named(path: str | Path, phrases: Iterable[Spoken]) -> Iterator[tuple[str, Lattice]]:
    """The lattices of a sound's phrases, and what they are called."""
    for number, phrase in enumerate(phrases, start=1):
        if phrase.lattice is not None:
            yield f"{name_of(path)}-{number}", phrase.lattice


def openfst(lattices: Mapping[str, Lattice], known: Sequence[str] = ()) -> dict[str, str]:
    """Files that `fstcompile --acceptor` reads: NAME.fst.txt of each, and their words in SYMBOLS
    (`--isymbols`).

    A weight is a cost, phrases that are to be heard included.

    known : words that have numbers already, from 1, as `words_of` gives them; new ones follow.
    """
    files = {}
    for name, lattice in lattices.items():
        lines = [
            f"{arc.source} {arc.target} {_word(arc.word)} {_cost(arc.score)}"
            for arc in lattice.arcs
        ]
        lines += [f"{state} {_cost(end.score)}" for state, end in _ends(lattice)]
        files[f"{name}.fst.txt"] = _text(lines)
    words = words_of(lattices.values(), known)
    files[SYMBOLS] = _text(f"{word} {at}" for at, word in enumerate([EPSILON, *words]))
    return files


def words_of(lattices: Iterable[Lattice], known: Sequence[str] = ()) -> list[str]:
    """Known words and behind them the new ones of lattices, sorted, as OpenFst has them."""
    found = {_word(arc.word) for each in lattices for arc in each.arcs}
    return [*known, *sorted(found - set(known))]


def kaldi(lattices: Mapping[str, Lattice]) -> str:
    """An archive of compact lattices, with words in the place of their numbers.

    The graph's cost is what phrases that are to be heard have added, the acoustic one is the
    model's; there are no transitions.
    """
    parts = []
    for name, lattice in lattices.items():
        lines = [
            f"{arc.source} {arc.target} {_word(arc.word)} {_costs(arc.score, arc.bonus)}"
            for arc in lattice.arcs
        ]
        lines += [f"{state} {_costs(end.score, end.bonus)}" for state, end in _ends(lattice)]
        parts.append(f"{name}\n{_text(lines)}\n")
    return "".join(parts)


def dot(lattices: Mapping[str, Lattice]) -> str:
    """A graph each: words with their posteriors, the likeliest path in bold, ends in two rings."""
    parts = []
    for name, lattice in lattices.items():
        best = set(lattice.best)
        lines = [f"digraph {_quoted(name)} {{", "rankdir=LR;", "node [shape=circle];"]
        lines += [f"{state} [shape=doublecircle];" for state, _ in _ends(lattice)]
        for arc, share in zip(lattice.arcs, lattice.posteriors, strict=True):
            label = _quoted(f"{arc.word} {share:.3f}")
            bold = ", style=bold" if arc in best else ""
            lines.append(f"{arc.source} -> {arc.target} [label={label}{bold}];")
        parts.append(_text([*lines, "}"]))
    return "".join(parts)


def _ends(lattice: Lattice) -> list[tuple[int, End]]:
    return sorted(lattice.ends.items())


def _word(text: str) -> str:
    """As one field of a line."""
    return "".join("_" if letter.isspace() else letter for letter in text)


def _cost(score: int) -> str:
    return f"{0.0 - score / ONE:.6f}"


def _costs(score: int, bonus: int) -> str:
    return f"{_cost(bonus)},{_cost(score - bonus)},"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
