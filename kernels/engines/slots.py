"""Sparse int8 matrix times vectors, in steps that a processor's byte shuffle feeds.

The format. `GROUP` rows stand side by side. A step has up to `SLOTS` nonzero weights of each, all
within a window of `WINDOW` inputs that the whole group shares; each weight says which input of the
window is its. One shuffle picks 32 inputs, one multiply-add takes them. Every row's nonzeros come
in the order of their columns, and the window begins at the first that is still to come.

Inputs are read as bytes of `x` + 128: the multiply-add takes unsigned by signed, and what that adds
is folded into the offsets. It sums two neighbours in int16, which holds 255 times -128..128: so
neighbours are chosen whose positive weights sum to at most 128, and whose negative ones to at least
-128. Where a step's four have no such order, it takes fewer. The sums are thus exact.

At 75 % zeros, 64 to 70 % of the slots are full, and a matrix takes 0.8 bytes a weight.
"""

import numpy as np
from numba import carray

from kernels.engines.dense import check_matrix, check_product, folded_bias
from kernels.engines.vector import GROUP, SLOTS, WINDOW, at_address, slot_sums
from npu.jit import inner_kernel, kernel
from npu.model.numerics import requantize_int32
from npu.model.operators.product import MatVecParams

BIAS = 128
"""What is added to every input."""
MAX_COLUMNS = 1 << 16
"""Steps keep their window's place in 16 bits."""
_ORDERS = np.array([[0, 1, 2, 3], [0, 2, 1, 3], [0, 3, 1, 2]])
"""Of four slots, every way to make neighbours."""


@inner_kernel
def _fit(a, b):
    """Whether two weights may be neighbours."""
    return max(a, 0) + max(b, 0) <= 128 and min(a, 0) + min(b, 0) >= -128


@inner_kernel
def _next_nonzero(row, column):
    while column < row.shape[0] and row[column] == 0:
        column += 1
    return column


@inner_kernel
def _place_slots(row, base, column, chosen, weights, orders):
    """The next weights of a row in a step: (the order of its slots, how many it takes).

    `chosen` and `weights` receive the columns and values of up to `SLOTS` nonzeros from `column`.
    """
    count = 0
    chosen[:] = 0
    weights[:] = 0
    while count < SLOTS and column < row.shape[0] and column < base + WINDOW:
        chosen[count] = column
        weights[count] = row[column]
        count += 1
        column = _next_nonzero(row, column + 1)
    while True:
        for order in range(3):
            a, b, c, d = orders[order]
            if _fit(weights[a], weights[b]) and _fit(weights[c], weights[d]):
                return order, count
        # Two always fit, for each has a neighbour of zero.
        count -= 1
        chosen[count] = 0
        weights[count] = 0


@kernel
def fill_slots(matrix, orders, group_starts, starts, picks, values):
    """Lay a matrix out in steps; returns how many. Empty `starts`: they are only counted.

    `group_starts` (groups + 1,) int64, `starts` (steps,) uint16, `picks` (steps, 32) uint8,
    `values` (steps, 32) int8, the last two zero.
    """
    rows, columns = matrix.shape
    following = np.zeros(GROUP, np.int64)
    chosen = np.zeros(SLOTS, np.int64)
    weights = np.zeros(SLOTS, np.int64)
    steps = 0
    for group in range(len(group_starts) - 1):
        first = group * GROUP
        count = min(GROUP, rows - first)
        for r in range(count):
            following[r] = _next_nonzero(matrix[first + r], 0)
        while True:
            base = following[:count].min()
            if base >= columns:
                break
            # A window does not reach over the end, but where the vector is shorter than one.
            base = max(0, min(base, columns - WINDOW))
            for r in range(count):
                if following[r] >= min(columns, base + WINDOW):
                    continue
                row = matrix[first + r]
                order, taken = _place_slots(row, base, following[r], chosen, weights, orders)
                following[r] = _next_nonzero(row, chosen[taken - 1] + 1)
                if len(starts):
                    for slot in range(SLOTS):
                        source = orders[order, slot]
                        if weights[source] != 0:
                            picks[steps, r * SLOTS + slot] = chosen[source] - base
                            values[steps, r * SLOTS + slot] = weights[source]
            if len(starts):
                starts[steps] = base
            steps += 1
        group_starts[group + 1] = steps
    return steps


@inner_kernel
def biased(value):
    """An int8 input as the byte that the steps read."""
    return np.uint8(np.uint8(value) ^ np.uint8(0x80))


@inner_kernel
def multiply_slots(matrix, vector, output):
    """A product into `output` (rows,) int8 or int16; `vector` is the address of biased inputs.

    `matrix` are the words of a `SlotMatrix`, `WINDOW` bytes or more at `vector` may be read.
    """
    rows, groups, starts, picks, values, first, sums = matrix[:7]
    group_starts = carray(at_address(first), (groups + 1,), np.int64)
    for group in range(groups):
        slot_sums(
            starts,
            picks,
            values,
            vector,
            group_starts[group],
            group_starts[group + 1],
            sums + 4 * GROUP * group,
        )
    totals = carray(at_address(sums), (rows,), np.int32)
    # In one block: offsets, multipliers, left and right shifts.
    scales = carray(at_address(matrix[7]), (4, rows), np.int32)
    zero_point, lo, hi = np.int32(matrix[8]), np.int32(matrix[9]), np.int32(matrix[10])
    for r in range(rows):
        output[r] = requantize_int32(
            np.int32(totals[r] + scales[0, r]),
            scales[1, r],
            scales[2, r],
            scales[3, r],
            zero_point,
            lo,
            hi,
        )


@kernel
def slot_products(matrix, vector, inputs, outputs):
    """outputs[n] = the product of inputs[n]; `vector` has room for one, and for a window."""
    for n in range(inputs.shape[0]):
        for c in range(inputs.shape[1]):
            vector[c] = biased(inputs[n, c])
        multiply_slots(matrix, vector.ctypes.data, outputs[n])


class SlotMatrix:
    """A weight matrix in steps, ready to be multiplied; where `VECTORS` says so.

    Parameters
    ----------
    weights : (rows, columns) int8, at most `MAX_COLUMNS`
    bias : (rows,) int32, or None for zeros
    params : scales and clamp of the product

    Attributes
    ----------
    rows, columns : of the weights.
    steps : how many there are; what a product costs.
    words : (11,) int64, what compiled loops take; addresses are of arrays that live as long as this
    """

    def __init__(self, weights: np.ndarray, bias: np.ndarray | None, params: MatVecParams):
        check_matrix(weights, bias, params)
        self.rows, self.columns = weights.shape
        if self.columns > MAX_COLUMNS:
            raise ValueError(f"at most {MAX_COLUMNS} columns, not {self.columns}")
        groups = -(-self.rows // GROUP)
        matrix = np.array(weights, order="C")
        group_starts = np.zeros(groups + 1, np.int64)
        self.steps = _lay_out(matrix, group_starts, 0)[0]
        _, starts, picks, values = _lay_out(matrix, group_starts, self.steps)
        # A biased input is 128 more than the input.
        offsets = folded_bias(weights, bias, params.input_zero_point + BIAS)
        scales = np.stack(
            [
                offsets,
                params.multipliers,
                np.maximum(params.shifts, 0),
                np.maximum(-params.shifts, 0),
            ]
        ).astype(np.int32)
        sums = np.zeros(groups * GROUP, np.int32)
        self._kept = (starts, picks, values, group_starts, sums, scales)
        self.words = np.array(
            [
                self.rows,
                groups,
                *(each.ctypes.data for each in self._kept),
                params.output_zero_point,
                params.lo,
                params.hi,
            ],
            np.int64,
        )
        self._vector = np.zeros(max(self.columns, WINDOW), np.uint8)

    def multiply(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """Fill `outputs` (n, rows) int8 or int16 with the products of `inputs` (n, columns) int8.

        Both must be C-contiguous. Raises ValueError for other shapes and types.
        """
        check_product(self.rows, self.columns, inputs, outputs)
        slot_products(self.words, self._vector, inputs, outputs)


def _lay_out(
    matrix: np.ndarray, group_starts: np.ndarray, steps: int
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    starts = np.zeros(steps, np.uint16)
    picks = np.zeros((steps, GROUP * SLOTS), np.uint8)
    values = np.zeros((steps, GROUP * SLOTS), np.int8)
    return fill_slots(matrix, _ORDERS, group_starts, starts, picks, values), starts, picks, values
