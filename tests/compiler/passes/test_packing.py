"""Matrices side by side: in their order, and the first refusal is told."""

from types import SimpleNamespace

import numpy as np
import pytest

from compiler.passes import packing
from compiler.passes.packing import pack_each
from npu.errors import CapacityError


def matrices(*sizes):
    return [SimpleNamespaceKey(weights=np.zeros(size, np.int8)) for size in sizes]


class SimpleNamespaceKey(SimpleNamespace):
    __hash__ = object.__hash__


@pytest.mark.parametrize("cores", [1, 3])
def test_each_is_packed_and_the_order_stays(monkeypatch, cores):
    monkeypatch.setattr(packing, "cores", lambda: cores)
    given = matrices(3, 9, 1, 5)
    begun = []

    def pack(matrix):
        begun.append(matrix.weights.size)
        return matrix.weights.size

    found = pack_each(given, pack)
    assert list(found) == given and list(found.values()) == [3, 9, 1, 5]
    assert begun[0] == 9 or cores > 1


@pytest.mark.parametrize("cores", [1, 3])
def test_the_first_refusal_is_told(monkeypatch, cores):
    monkeypatch.setattr(packing, "cores", lambda: cores)

    def refuse(matrix):
        if matrix.weights.size > 2:
            raise CapacityError(f"{matrix.weights.size} is too much")
        return matrix.weights.size

    for _ in range(20):
        with pytest.raises(CapacityError, match=r"^3 is too much"):
            pack_each(matrices(1, 3, 9, 5), refuse)


def test_a_fault_of_ours_is_no_refusal():
    with pytest.raises(ZeroDivisionError):
        pack_each(matrices(1, 2), lambda matrix: 1 // 0)
