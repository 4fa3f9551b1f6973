"""Boxes against numpy's own slices, and what keeps a copy inside of its tensors."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.boxes import MAX_LOOPS, Box, Piece, mapped, runs_of, simplified
from npu.model.graph import Graph, Tensor
from npu.model.operators.move import Copy
from npu.model.verify import verify


def places(box: Box) -> np.ndarray:
    """The places of a box in its order."""
    found = np.full((), box.offset)
    for n, stride in zip(box.sizes, box.strides, strict=True):
        found = found[..., None] + np.arange(n) * stride
    return found


def moved(piece: Piece, size: int) -> np.ndarray:
    """Where each of `size` elements of the target comes from, by its simplified pieces."""
    found = np.full(size, -1)
    for part in simplified(piece):
        assert len(part.read.sizes) <= MAX_LOOPS and all(n > 1 for n in part.read.sizes)
        found[places(part.written)] = places(part.read)
    return found


def test_cuts_are_slices():
    array = np.arange(120).reshape(4, 5, 6)
    box = Box.whole(array.shape).cut(0, 3, 2, -2).cut(2, 1, 3, 2).transpose((2, 0, 1))
    np.testing.assert_array_equal(places(box), array[3::-2, :, 1::2].transpose(2, 0, 1))
    assert box.limits() == (31, 119) and box.n == 30
    split = Box.whole((4, 6)).split(1, 3).insert(0)
    np.testing.assert_array_equal(places(split), np.arange(24).reshape(1, 4, 2, 3))
    assert Box.whole((3, 0)).limits() == (0, -1)


def test_neighbouring_loops_are_one():
    whole = Piece(0, 0, Box.whole((2, 3, 4)), Box.whole((2, 3, 4)))
    assert list(simplified(whole)) == [Piece(0, 0, Box(0, (24,), (1,)), Box(0, (24,), (1,)))]
    assert list(simplified(replace(whole, read=Box.whole((0, 3)), written=Box.whole((0, 3))))) == []


def test_many_loops_are_written_out():
    shape = (2, 3, 2, 2, 3, 2, 2)
    order = (6, 1, 4, 0, 3, 5, 2)
    read = Box.whole(shape).transpose(order)
    piece = Piece(0, 0, read, Box.whole(read.sizes))
    wanted = np.arange(np.prod(shape)).reshape(shape).transpose(order).reshape(-1)
    np.testing.assert_array_equal(moved(piece, wanted.size), wanted)


@pytest.mark.parametrize(
    ("indices", "period", "count"),
    [
        ([0, 1, 2, 3], 1, 1),
        ([3, 2, 1], 1, 1),
        ([0, 0, 1, 1, 2, 2], 2, 2),
        ([5], 1, 1),
        ([], 1, 0),
        ([2, 1, 0, 1, 2, 3, 2], 1, 3),
        ([0, 0, 0], 3, 1),
    ],
)
def test_runs(indices, period, count):
    runs = runs_of(indices, period)
    assert len(runs) == count
    piece = Piece(0, 0, Box.whole((6,)), Box.whole((len(indices),)))
    found = np.full(len(indices), -1)
    for part in mapped(piece, [runs]):
        found[places(part.written)] = places(part.read)
    assert found.tolist() == indices


def graph(op: Copy, dtype: str = "int8") -> Graph:
    tensors = (
        Tensor("x", (2, 3), "int8", None, None),
        Tensor("y", (6,), dtype, None, None),
    )
    return Graph("m", tensors, (op,), (0,), (1,))


WHOLE = Piece(0, 0, Box.whole((6,)), Box.whole((6,)))
COPY = Copy("c", (0,), (1,), (WHOLE,))


def test_a_copy():
    verify(graph(COPY))
    verify(graph(replace(COPY, pieces=(), fill=3)))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pieces": ()}, "its pieces must write its whole outputs"),
        ({"pieces": (replace(WHOLE, source=1),)}, "it has no input 1 or no output 0"),
        ({"pieces": (replace(WHOLE, target=-1),)}, "it has no input 0 or no output -1"),
        ({"pieces": (replace(WHOLE, read=Box.whole((2, 3))),)}, "must be of equal sizes"),
        (
            {"pieces": (replace(WHOLE, read=Box(1, (6,), (1,))),)},
            r"elements 1 to 6 are not all in \[2, 3\]",
        ),
        (
            {"pieces": (replace(WHOLE, written=Box(4, (6,), (-1,))),)},
            r"elements -1 to 4 are not all in \[6\]",
        ),
    ],
)
def test_refused(changed, message):
    with pytest.raises(ModelError, match=message):
        verify(graph(replace(COPY, **changed)))


def test_other_types_are_refused():
    with pytest.raises(ModelError, match="its types must be equal, not int16, int8"):
        verify(graph(COPY, "int16"))
