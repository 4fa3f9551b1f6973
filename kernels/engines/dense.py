"""Dense int8 matrix times vectors, requantised to int8 or int16."""

import numpy as np

from npu.jit import kernel
from npu.model.numerics import requantize, wrap_int32
from npu.model.operators.product import MatVecParams


@kernel
def dense_products(weights, offsets, multipliers, shifts, zero_point, lo, hi, inputs, outputs):
    """outputs[n, r] = requantize(weights[r] . inputs[n], offsets[r], ...)."""
    for n in range(inputs.shape[0]):
        for r in range(weights.shape[0]):
            acc = np.int32(0)
            for c in range(weights.shape[1]):
                # int32 throughout, so that the compiler may use its widest multiply-add.
                acc = np.int32(acc + np.int32(weights[r, c]) * np.int32(inputs[n, c]))
            outputs[n, r] = requantize(
                np.int64(acc),
                np.int64(offsets[r]),
                np.int64(multipliers[r]),
                np.int64(shifts[r]),
                zero_point,
                lo,
                hi,
            )


def check_array(name: str, array: np.ndarray, shape: tuple[int, ...], *dtypes: type) -> None:
    """Raise ValueError unless compiled code, which checks no index, may use the array so."""
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype not in dtypes:
        types = " or ".join(np.dtype(each).name for each in dtypes)
        found = f"{getattr(array, 'dtype', type(array))} {getattr(array, 'shape', '')}"
        raise ValueError(f"{name} must be {types} {shape}, not {found}")


def check_matrix(weights: np.ndarray, bias: np.ndarray | None, params: MatVecParams) -> None:
    """Raise ValueError unless there are a bias and a scale for each row of an int8 matrix."""
    if not isinstance(weights, np.ndarray) or weights.dtype != np.int8 or weights.ndim != 2:
        raise ValueError("weights must be an int8 array (rows, columns)")
    for name, array in (
        ("bias", bias),
        ("multipliers", params.multipliers),
        ("shifts", params.shifts),
    ):
        if array is not None and np.shape(array) != weights.shape[:1]:
            raise ValueError(f"{name} {np.shape(array)} of {len(weights)} rows")


def check_product(rows: int, columns: int, inputs: np.ndarray, outputs: np.ndarray) -> None:
    """Raise ValueError unless a matrix of this shape can turn these inputs into these outputs."""
    check_array("inputs", inputs, (len(inputs), columns), np.int8)
    check_array("outputs", outputs, (len(inputs), rows), np.int8, np.int16)


def folded_bias(weights: np.ndarray, bias: np.ndarray | None, zero_point: int) -> np.ndarray:
    """The bias with the input's zero point folded in, wrapped to int32.

    sum w (x - z) + b = sum w x + (b - z sum w), and wrapping commutes with both sums.
    """
    sums = weights.sum(axis=1, dtype=np.int64)
    offsets = -zero_point * sums if bias is None else bias.astype(np.int64) - zero_point * sums
    return np.array([wrap_int32(int(offset)) for offset in offsets], np.int32)


class DenseMatrix:
    """A weight matrix ready to be multiplied.

    Parameters
    ----------
    weights : (rows, columns) int8
    bias : (rows,) int32, or None for zeros
    params : scales and clamp of the product
    """

    def __init__(self, weights: np.ndarray, bias: np.ndarray | None, params: MatVecParams):
        check_matrix(weights, bias, params)
        self._weights = np.array(weights, order="C")
        self._offsets = folded_bias(weights, bias, params.input_zero_point)
        self._params = params

    @property
    def rows(self) -> int:
        """Length of a product."""
        return self._weights.shape[0]

    def multiply(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """Fill `outputs` (n, rows) int8 or int16 with the products of `inputs` (n, columns) int8.

        Both must be C-contiguous. Raises ValueError for other shapes and types.
        """
        check_product(self.rows, self._weights.shape[1], inputs, outputs)
        p = self._params
        dense_products(
            self._weights,
            self._offsets,
            p.multipliers,
            p.shifts,
            p.output_zero_point,
            p.lo,
            p.hi,
            inputs,
            outputs,
        )
