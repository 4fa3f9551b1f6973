"""Every form of a matrix: their products against the slow oracle, and arrays that do not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.engines.dense import DenseMatrix
from kernels.engines.slots import MAX_COLUMNS, SlotMatrix
from kernels.engines.sparse import SPARSE_BELOW, SparseMatrix, prepare_matrix
from kernels.engines.vector import VECTORS
from npu.model.operators.product import MatVecParams
from tests import naive

ROWS, COLUMNS = 3, 5
FORMS = [DenseMatrix, SparseMatrix, *([SlotMatrix] if VECTORS else [])]
WEIGHTS = np.eye(ROWS, COLUMNS, dtype=np.int8)


def params(rows=ROWS):
    ones = np.full(rows, 1 << 30, np.int32)
    return MatVecParams(ones, np.zeros(rows, np.int32), 0, 0, -128, 127)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ((2, COLUMNS - 1), (2, ROWS), "inputs must be int8"),
        ((2, COLUMNS), (1, ROWS), "outputs must be int8 or int16"),
        ((2, COLUMNS), (2, ROWS - 1), "outputs must be int8 or int16"),
        ((COLUMNS,), (ROWS,), "inputs must be int8"),
    ],
)
def test_products_of_other_shapes(form, inputs, outputs, message):
    matrix = form(WEIGHTS, None, params())
    with pytest.raises(ValueError, match=message):
        matrix.multiply(np.zeros(inputs, np.int8), np.zeros(outputs, np.int8))


@pytest.mark.parametrize("form", FORMS)
def test_scales_and_biases_of_other_rows(form):
    with pytest.raises(ValueError, match=r"multipliers \(2,\) of 3 rows"):
        form(WEIGHTS, None, params(2))
    with pytest.raises(ValueError, match=r"bias \(4,\) of 3 rows"):
        form(WEIGHTS, np.zeros(4, np.int32), params())
    with pytest.raises(ValueError, match="weights must be an int8 array"):
        form(WEIGHTS.astype(np.int16), None, params())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_every_form_against_the_slow_oracle(seed):
    rng = np.random.default_rng(seed)
    rows, columns, vectors = rng.integers(1, 40, 3)
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    weights[rng.random(weights.shape) < rng.random()] = 0
    bias = rng.integers(-(2**31), 2**31, rows).astype(np.int32)
    params = MatVecParams(
        rng.integers(2**30, 2**31, rows).astype(np.int32),
        rng.integers(-31, 3, rows).astype(np.int32),
        int(rng.integers(-128, 128)),
        int(rng.integers(-128, 128)),
        -128,
        int(rng.integers(-100, 128)),
    )
    x = rng.integers(-128, 128, (vectors, columns)).astype(np.int8)
    expected = [
        naive.fully_connected(
            row.tolist(),
            weights.tolist(),
            bias.tolist(),
            params.multipliers.tolist(),
            params.shifts.tolist(),
            params.input_zero_point,
            params.output_zero_point,
            params.lo,
            params.hi,
        )
        for row in x
    ]
    for form in FORMS:
        output = np.empty((vectors, rows), np.int8)
        form(weights, bias, params).multiply(x, output)
        np.testing.assert_array_equal(output, expected)


def test_form_follows_density(monkeypatch):
    monkeypatch.setattr("kernels.engines.sparse.VECTORS", False)
    weights = np.zeros((100, 100), np.int8)
    assert isinstance(prepare_matrix(weights, None, params(100)), SparseMatrix)
    weights[: round(100 * SPARSE_BELOW) + 1] = 1
    assert isinstance(prepare_matrix(weights, None, params(100)), DenseMatrix)


@pytest.mark.skipif(not VECTORS, reason="this processor has no AVX2")
class TestSlots:
    def test_they_are_what_is_taken(self):
        assert isinstance(prepare_matrix(WEIGHTS, None, params()), SlotMatrix)
        wide = np.zeros((1, MAX_COLUMNS + 1), np.int8)
        assert isinstance(prepare_matrix(wide, None, params(1)), SparseMatrix)
        with pytest.raises(ValueError, match="at most 65536 columns, not 65537"):
            SlotMatrix(wide, None, params(1))

    def test_the_last_column_that_can_be_named(self):
        weights = np.zeros((1, MAX_COLUMNS), np.int8)
        weights[0, [0, -1]] = 3, 5
        matrix, output = SlotMatrix(weights, None, params(1)), np.empty((1, 1), np.int16)
        inputs = np.zeros(weights.shape, np.int8)
        inputs[0, [0, -1]] = 8, 16
        matrix.multiply(inputs, output)
        assert matrix.steps == 2 and output[0, 0] == (3 * 8 + 5 * 16) // 2

    @pytest.mark.parametrize("pair", [(127, 127), (-128, -128), (-128, 127), (1, 127), (64, 65)])
    @pytest.mark.parametrize("x", [-128, 127])
    def test_no_neighbours_leave_int16(self, pair, x):
        weights = np.tile(np.array(pair, np.int8), (1, 16))
        matrix = SlotMatrix(weights, np.array([-(x + 128)], np.int32), params(1))
        output = np.empty((1, 1), np.int16)
        inputs = np.full((1, 32), x, np.int8)
        totals = matrix._kept[4]
        matrix.multiply(inputs, output)
        assert totals[0] == (x + 128) * int(weights.sum(dtype=np.int64))

    def test_a_step_takes_four_of_each_row_of_a_window(self):
        full = np.ones((8, 16), np.int8)
        assert SlotMatrix(full, None, params(8)).steps == 4
        assert SlotMatrix(full * 127, None, params(8)).steps == 8
        assert SlotMatrix(np.ones((9, 16), np.int8), None, params(9)).steps == 8
        assert SlotMatrix(np.zeros((8, 16), np.int8), None, params(8)).steps == 0
