"""Operators as rows of one compiled call, beside the loops that run them one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.engines.program import COPY, GATHER, PROGRAMS, SUM, TABLE, Program, fused, product_row
from kernels.engines.slots import SlotMatrix
from kernels.engines.window import WindowProducts
from npu.model.operators.product import MatVecParams
from npu.model.window import Window

pytestmark = pytest.mark.skipif(not PROGRAMS, reason="this processor has no AVX2")


def params(rng, rows):
    return MatVecParams(
        rng.integers(2**30, 2**31, rows).astype(np.int32),
        rng.integers(-14, -5, rows).astype(np.int32),
        int(rng.integers(-128, 128)),
        int(rng.integers(-128, 128)),
        -128,
        127,
    )


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_windows_of_images(seed):
    rng = np.random.default_rng(seed)
    (height, width), (size_y, size_x) = rng.integers(3, 9, 2).tolist(), rng.integers(1, 4, 2)
    channels, filters, batch = rng.integers(1, 7, 3).tolist()
    padding = tuple(rng.integers(0, 3, 4).tolist())
    window = Window(
        (int(size_y), int(size_x)), tuple(rng.integers(1, 4, 2).tolist()), (1, 1), padding
    )
    images = rng.integers(-128, 128, (batch, height, width, channels)).astype(np.int8)
    weights = rng.integers(-128, 128, (filters, *window.size, channels)).astype(np.int8)
    weights[rng.random(weights.shape) < rng.random()] = 0
    bias, own = rng.integers(-(2**14), 2**14, filters).astype(np.int32), params(rng, filters)
    outputs = np.zeros((batch, *window.positions((height, width)), filters), np.int8)
    expected = outputs.copy()
    WindowProducts(own, bias, window).run(images, weights, expected)
    matrix = SlotMatrix(weights.reshape(filters, -1), bias, own)
    Program([product_row(matrix, (images, own.input_zero_point), window, outputs)])()
    np.testing.assert_array_equal(outputs, expected)


def test_rows_run_in_their_order_and_neighbours_are_joined():
    first, second, third = (np.zeros(5, np.int8) for _ in range(3))
    plus_one = np.arange(-127, 129).clip(-128, 127).astype(np.int8)
    copy = Program([[COPY, 5, first, second]])
    table = Program([[TABLE, 5, plus_one, second, third]])
    steps = fused([copy, table, print, copy])
    assert [isinstance(step, Program) for step in steps] == [True, False, True]
    first[:] = -128, -1, 0, 126, 127
    steps[0]()
    assert third.tolist() == [-127, 0, 1, 127, 127]


def test_it_is_repeated():
    value = np.zeros(3, np.int8)
    Program(
        [[TABLE, 3, np.arange(-127, 129).clip(-128, 127).astype(np.int8), value, value]]
    ).repeat(9)
    assert value.tolist() == [9, 9, 9]


def test_a_row_that_cannot_run_says_so_and_writes_nothing():
    table, output = np.arange(6, dtype=np.int8), np.zeros(4, np.int8)
    indices, behind = np.array([2, 3], np.int32), np.zeros(4, np.int8)

    def refuse():
        raise KeyError("no such slice")

    gather = Program([[GATHER, 2, 3, 2, table, indices, output]], [refuse])
    program = Program.of([gather, Program([[COPY, 4, output, behind]])])
    for wrong in (3, -1):
        indices[1] = wrong
        with pytest.raises(KeyError, match="no such slice"):
            program()
        assert not output.any() and not behind.any()
    indices[1] = 0
    program()
    assert behind.tolist() == output.tolist() == [4, 5, 0, 1]


def test_a_sum_of_tables():
    tables = np.stack([np.arange(-128, 128) * 1000, np.arange(-128, 128) * 3000]).astype(np.int32)
    a, b = np.array([1, -128, 127], np.int8), np.array([2, -128, 127], np.int8)
    output = np.zeros(3, np.int8)
    Program([[SUM, 3, tables, a, b, output, 2**30, 0, 9, 5, -100, 100]])()
    # 7000 / 1024 is 6.84
    assert output.tolist() == [7 + 5, -100, 100]


def test_arrays_must_lie_as_they_are_read():
    with pytest.raises(AssertionError, match="as they lie"):
        Program([[COPY, 4, np.zeros(8, np.int8)[::2], np.zeros(4, np.int8)]])
