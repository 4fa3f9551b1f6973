"""Arrays that do not fit a layer are refused before compiled code runs on them."""

import numpy as np
import pytest

from kernels.engines.dense import DenseMatrix
from kernels.engines.sparse import SparseMatrix
from npu.model.operators.product import MatVecParams

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
