"""Moved elements: planted faults are noticed, real numbers round as they must, calls that end."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import InputError
from npu.model.operators.move import Copy
from npu.model.real import dequantized, quantized
from tests.conftest import ROOT

VECTORS = ROOT / "tests" / "vectors" / "tflite"


def differing(graph) -> int:
    """Elements that are not as recorded."""
    ours = Interpreter(graph)
    with np.load(VECTORS / "moves.npz") as recorded:
        pairs = zip(recorded["input0"], recorded["output"], strict=True)
        return sum(np.count_nonzero(ours.invoke([x])[0] != y) for x, y in pairs)


def with_copy(graph, change):
    """The graph with its first copy that `change` takes."""
    operators = list(graph.operators)
    for at, op in enumerate(operators):
        if isinstance(op, Copy) and (changed := change(op)) is not None:
            operators[at] = changed
            return replace(graph, operators=tuple(operators))
    raise AssertionError("no such copy")


def _another_fill(op):
    return None if op.fill is None else replace(op, fill=op.fill + 1)


def _read_one_further(op):
    """Of a box that does not reach the end."""
    for at, piece in enumerate(op.pieces):
        if piece.read.offset > 0:
            read = replace(piece.read, offset=piece.read.offset - 1)
            pieces = (*op.pieces[:at], replace(piece, read=read), *op.pieces[at + 1 :])
            return replace(op, pieces=pieces)
    return None


def _forwards(op):
    """A box read backwards, from its other end."""
    for at, piece in enumerate(op.pieces):
        if any(stride < 0 for stride in piece.read.strides):
            strides = tuple(abs(stride) for stride in piece.read.strides)
            read = replace(piece.read, offset=piece.read.limits()[0], strides=strides)
            pieces = (*op.pieces[:at], replace(piece, read=read), *op.pieces[at + 1 :])
            return replace(op, pieces=pieces)
    return None


@pytest.mark.parametrize("change", [_another_fill, _read_one_further, _forwards])
def test_a_planted_box_is_noticed(change):
    graph = read_tflite(VECTORS / "moves.tflite")
    assert differing(graph) == 0
    assert differing(with_copy(graph, change)) > 0


def test_a_lost_initial_value_is_noticed():
    graph = read_tflite(VECTORS / "moves.tflite")
    assert sum(t.initial is not None for t in graph.tensors) == 1
    tensors = tuple(replace(t, initial=None) for t in graph.tensors)
    assert differing(replace(graph, tensors=tensors)) > 0


def test_a_reset_brings_initial_values_back():
    ours = Interpreter(read_tflite(VECTORS / "moves.tflite"))
    x = np.arange(48, dtype=np.uint8).reshape(1, 4, 6, 2)
    first, second = ours.invoke([x])[0], ours.invoke([x])[0]
    ours.reset()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(ours.invoke([x])[0], first)


@pytest.mark.parametrize(
    ("value", "found"),
    [(0.125, 1), (-0.125, -1), (0.12499999, 0), (0.375, 2), (-0.375, -2), (31.7, 127), (-99, -128)],
)
def test_real_numbers_round_half_away(value, found):
    assert quantized("m", np.float32([value]), 0.25, 0, "int8") == found


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e9, -3e9])
def test_real_numbers_without_an_integer_are_refused(value):
    with pytest.raises(InputError, match=r"m: a number must be within 2\^31 steps of 1, not "):
        quantized("m", np.float32([0, value]), 1.0, 0, "int8")


def test_integers_become_the_nearest_real_numbers():
    scale = float(np.float32(0.1))
    found = dequantized(np.int8([-128, 127]), scale, 3)
    assert found.dtype == np.float32
    assert found.tolist() == [float(np.float32(scale * n)) for n in (-131, 124)]
