"""Both forms of a matrix: their products against the slow oracle, and arrays that do not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.engines.dense import DenseMatrix
from kernels.engines.sparse import SPARSE_BELOW, SparseMatrix, prepare_matrix
from npu.model.operators.product import MatVecParams
from tests import naive

ROWS, COLUMNS = 3, 5
WEIGHTS = np.eye(ROWS, COLUMNS, dtype=np.int8)


def params(rows=ROWS):
    ones = np.full(rows, 1 << 30, np.int32)
    return MatVecParams(ones, np.zeros(rows, np.int32), 0, 0, -128, 127)


@pytest.mark.parametrize("form", [DenseMatrix, SparseMatrix])
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


@pytest.mark.parametrize("form", [DenseMatrix, SparseMatrix])
def test_scales_and_biases_of_other_rows(form):
    with pytest.raises(ValueError, match=r"multipliers \(2,\) of 3 rows"):
        form(WEIGHTS, None, params(2))
    with pytest.raises(ValueError, match=r"bias \(4,\) of 3 rows"):
        form(WEIGHTS, np.zeros(4, np.int32), params())
    with pytest.raises(ValueError, match="weights must be an int8 array"):
        form(WEIGHTS.astype(np.int16), None, params())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_both_matrix_forms_against_the_slow_oracle(seed):
    rng = np.random.default_rng(seed)
    rows, columns, vectors = rng.integers(1, 12, 3)
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
    for form in (DenseMatrix, SparseMatrix):
        output = np.empty((vectors, rows), np.int8)
        form(weights, bias, params).multiply(x, output)
        np.testing.assert_array_equal(output, expected)


def test_form_follows_density():
    params = MatVecParams(np.full(100, 1 << 30, np.int32), np.zeros(100, np.int32), 0, 0, -128, 127)
    weights = np.zeros((100, 100), np.int8)
    assert isinstance(prepare_matrix(weights, None, params), SparseMatrix)
    weights[: round(100 * SPARSE_BELOW) + 1] = 1
    assert isinstance(prepare_matrix(weights, None, params), DenseMatrix)
