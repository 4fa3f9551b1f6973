"""Sparse int8 matrix (compressed rows) times vectors: the bits of `dense`, fewer steps."""

import numpy as np

from kernels.engines.dense import DenseMatrix, check_matrix, check_product, folded_bias
from kernels.engines.slots import MAX_COLUMNS, SlotMatrix
from kernels.engines.vector import VECTORS
from npu.jit import kernel
from npu.model.numerics import requantize
from npu.model.operators.product import MatVecParams

SPARSE_BELOW = 0.02
"""Density under which skipping zeros beats a dense loop, where there are no `VECTORS`.

Measured at 768 x 192 and 640 x 2048: 25 % nonzeros take 7 to 9 times as long this way as dense,
2 % about as long.
"""


@kernel
def sparse_products(
    values,
    columns,
    row_starts,
    offsets,
    multipliers,
    shifts,
    zero_point,
    lo,
    hi,
    inputs,
    outputs,
):
    """outputs[n, r] = requantize(row r . inputs[n], offsets[r], ...)."""
    for n in range(inputs.shape[0]):
        for r in range(row_starts.shape[0] - 1):
            acc = np.int32(0)
            for k in range(row_starts[r], row_starts[r + 1]):
                acc = np.int32(acc + np.int32(values[k]) * np.int32(inputs[n, columns[k]]))
            outputs[n, r] = requantize(
                np.int64(acc),
                np.int64(offsets[r]),
                np.int64(multipliers[r]),
                np.int64(shifts[r]),
                zero_point,
                lo,
                hi,
            )


class SparseMatrix:
    """A weight matrix without its zeros, ready to be multiplied.

    Parameters
    ----------
    weights : (rows, columns) int8
    bias : (rows,) int32, or None for zeros
    params : scales and clamp of the product
    """

    def __init__(self, weights: np.ndarray, bias: np.ndarray | None, params: MatVecParams):
        check_matrix(weights, bias, params)
        self._width = weights.shape[1]
        row_of, column_of = np.nonzero(weights)
        self._values = weights[row_of, column_of]
        # Unsigned, so that numba does not test every index for a count from the end.
        self._columns = column_of.astype(np.uint32)
        self._row_starts = np.searchsorted(row_of, np.arange(weights.shape[0] + 1)).astype(np.int64)
        self._offsets = folded_bias(weights, bias, params.input_zero_point)
        self._params = params

    @property
    def rows(self) -> int:
        """Length of a product."""
        return len(self._row_starts) - 1

    def multiply(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """Fill `outputs` (n, rows) int8 or int16 with the products of `inputs` (n, columns) int8.

        Both must be C-contiguous. Raises ValueError for other shapes and types.
        """
        check_product(self.rows, self._width, inputs, outputs)
        p = self._params
        sparse_products(
            self._values,
            self._columns,
            self._row_starts,
            self._offsets,
            p.multipliers,
            p.shifts,
            p.output_zero_point,
            p.lo,
            p.hi,
            inputs,
            outputs,
        )


def prepare_matrix(
    weights: np.ndarray, bias: np.ndarray | None, params: MatVecParams
) -> DenseMatrix | SparseMatrix | SlotMatrix:
    """The fastest form for these weights on this processor."""
    if VECTORS and weights.ndim == 2 and weights.shape[1] <= MAX_COLUMNS:
        return SlotMatrix(weights, bias, params)
    density = np.count_nonzero(weights) / weights.size
    form = SparseMatrix if density < SPARSE_BELOW else DenseMatrix
    return form(weights, bias, params)
