"""Sums over axes that letters name, and running sums: products with matrices."""

import re
from collections.abc import Sequence
from math import prod

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.builder import Builder, Rules, inputs, settled
from compiler.floats.rewrite.moves import reshape, transpose

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class _Term:
    """A value with a letter for each axis."""

    def __init__(self, b: Builder, name: str, letters: str) -> None:
        self.name, self.letters = name, letters
        self.sizes = dict(zip(letters, b.shape(name), strict=True))


def _einsum(b: Builder, node: Node) -> None:
    """Operands are taken in order, each product is a MatMul of (batch, rows, width, columns)."""
    names = inputs(b, node)
    letters, wanted = _equation(b, node, [len(b.shape(name)) for name in names])
    terms = [_Term(b, name, own) for name, own in zip(names, letters, strict=True)]
    here, *others = terms
    for number, other in enumerate(others):
        later = set(wanted).union(*(each.letters for each in others[number + 1 :]))
        here = _product(b, node, here, other, later)
    here = _summed(b, node, here, set(wanted))
    order = tuple(here.letters.index(letter) for letter in wanted)
    _turned(b, node, here.name, order, node.output)


def _equation(b: Builder, node: Node, ranks: Sequence[int]) -> tuple[list[str], str]:
    """A letter for each axis of each operand, and of the output; an ellipsis has some, too.

    Raises UnsupportedError for a letter that stands twice in one operand.
    """
    said = str(node.get("equation")).replace(" ", "")
    left, arrow, right = said.partition("->")
    terms = left.split(",")
    free = [letter for letter in _LETTERS if letter not in said]
    wide = max(
        (rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)), default=0
    )
    dots = "".join(free[:wide])
    if not arrow:
        plain = [letter for letter in left if letter.isalpha()]
        alone = sorted(letter for letter in set(plain) if plain.count(letter) == 1)
        right = ("..." if "..." in left else "") + "".join(alone)
    found = []
    for term, rank in zip(terms, ranks, strict=True):
        count = rank - len(term.replace("...", ""))
        # Of fewer axes the last ones are meant.
        own = term.replace("...", dots[len(dots) - count :])
        if twice := re.search(r"(.).*\1", own):
            raise b.graph.refuse(
                node,
                f"its equation {said!r} has {twice[1]!r} twice in one operand; take the diagonal "
                "before the model",
            )
        found.append(own)
    return found, right.replace("...", dots)


def _summed(b: Builder, node: Node, term: _Term, kept: set[str]) -> _Term:
    """Without the axes that nobody takes any more."""
    axes = [axis for axis, letter in enumerate(term.letters) if letter not in kept]
    if not axes:
        return term
    letters = "".join(letter for letter in term.letters if letter in kept)
    shape = [term.sizes[letter] for letter in letters]
    data = b.constant(term.name)
    if data is not None:
        return _Term(b, b.store(data.sum(axis=tuple(axes))), letters)
    made = b.emit("ReduceSum", [term.name], shape, at=node, axes=axes, keepdims=0)
    return _Term(b, made, letters)


def _product(b: Builder, node: Node, left: _Term, right: _Term, later: set[str]) -> _Term:
    """Of two operands, summed over the letters that both have and nobody takes later."""
    if b.constant(left.name) is not None and b.constant(right.name) is None:
        left, right = right, left
    left = _summed(b, node, left, later | set(right.letters))
    right = _summed(b, node, right, later | set(left.letters))
    both = [letter for letter in left.letters if letter in right.letters]
    batch = "".join(letter for letter in both if letter in later)
    within = "".join(letter for letter in both if letter not in later)
    rows = "".join(letter for letter in left.letters if letter not in both)
    columns = "".join(letter for letter in right.letters if letter not in both)
    sizes = right.sizes | left.sizes
    for letter in both:
        if left.sizes[letter] != right.sizes[letter]:
            raise b.graph.refuse(
                node,
                f"its axes {letter!r} have {left.sizes[letter]} and {right.sizes[letter]} elements",
            )
    found = batch + rows + columns
    shape = tuple(sizes[letter] for letter in found)
    first = _laid(b, node, left, batch + rows + within)
    second = _laid(b, node, right, batch + within + columns)
    if not within:
        made = _beside(b, node, (first, second), (batch, rows, columns), sizes)
        return _Term(b, reshape(b, node, made, shape), found)
    count, height, width, across = (
        prod(sizes[letter] for letter in of) for of in (batch, rows, within, columns)
    )
    stacked = (count,) if batch else ()
    first = _shaped(b, node, first, (*stacked, height, width))
    second = _shaped(b, node, second, (*stacked, width, across))
    product = b.emit("MatMul", [first, second], (*stacked, height, across), at=node)
    return _Term(b, reshape(b, node, product, shape), found)


def _beside(
    b: Builder,
    node: Node,
    names: tuple[str, str],
    letters: tuple[str, str, str],
    sizes: dict[str, int],
) -> str:
    """Nothing is summed: every element of one with every element of the other."""
    batch, rows, columns = (prod(sizes[letter] for letter in of) for of in letters)
    first = _shaped(b, node, names[0], (batch, rows, 1))
    second = _shaped(b, node, names[1], (batch, 1, columns))
    return b.emit("Mul", [first, second], (batch, rows, columns), at=node)


def _laid(b: Builder, node: Node, term: _Term, letters: str) -> str:
    return _turned(b, node, term.name, tuple(term.letters.index(each) for each in letters))


def _turned(
    b: Builder, node: Node, name: str, order: tuple[int, ...], output: str | None = None
) -> str:
    """A value with its axes in another order; a constant is turned here."""
    data = b.constant(name)
    if data is None or output is not None:
        return transpose(b, node, name, order, output)
    return name if order == tuple(range(data.ndim)) else b.store(np.transpose(data, order))


def _shaped(b: Builder, node: Node, name: str, shape: tuple[int, ...]) -> str:
    data = b.constant(name)
    return reshape(b, node, name, shape) if data is None else b.store(data.reshape(shape))


def _cumulative(b: Builder, node: Node) -> None:
    """Sums up to each element of an axis: a product with a triangle of ones."""
    source, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    known = settled(b, node, 1, "axis")
    assert known is not None, "the checker found it"
    axis = int(known.reshape(-1)[0]) % len(shape)
    count, before = shape[axis], int(node.get("exclusive", 0))
    triangle = np.triu(np.ones((count, count), np.float32), before)
    matrix = triangle.T if node.get("reverse", 0) else triangle
    order = (*(a for a in range(len(shape)) if a != axis), axis)
    turned = transpose(b, node, source, order)
    product = b.emit("MatMul", [turned, b.store(matrix)], b.shape(turned), at=node)
    transpose(b, node, product, tuple(int(a) for a in np.argsort(order)), node.output)


RULES: Rules = {"Einsum": _einsum, "CumSum": _cumulative}
