"""The arithmetic of a matrix-vector command: its bits, whatever the cycles.

What a product multiplies by are decoded weights, its rows in the order in which they leave the
lanes: rows that go to the same place overwrite one another in that order.
"""

import numpy as np

from npu.chip.weight_format import ACTIVATION_BITS
from npu.jit import inner_kernel, kernel
from npu.model.numerics import requantize

ROW = np.dtype([(name, np.int64) for name in ("bias", "destination", "multiplier", "shift")])
"""What the requantiser does with a row's sum: a row record and the scale that it names."""
FIELDS = np.dtype([(name, np.int64) for name in ("a_zero", "dst_zero", "lo", "hi")])
"""Of the command."""


_HALF = 1 << (ACTIVATION_BITS - 1)


@inner_kernel
def wrap_activation(value, zero):
    """`value` (int8) minus its zero point, ACTIVATION_BITS in two's complement.

    Only a zero point that is no int8 makes it wrap.
    """
    return ((np.int64(value) - zero + _HALF) & (2 * _HALF - 1)) - _HALF


@kernel
def broadcast(vector, zero):
    """(columns,) int32: `vector` minus its zero point, as `wrap_activation`."""
    activations = np.empty(len(vector), np.int32)
    for c in range(len(vector)):
        activations[c] = wrap_activation(vector[c], zero)
    return activations


@kernel
def multiply(weights, nonzeros, vector, rows, fields, out):
    """out[row.destination] = requantise(weights @ broadcast(vector) + row.bias).

    Returns the MACs that a zero activation gated.

    weights : (rows, columns) int8; nonzeros : (columns,) nonzero weights of every column.
    vector : (columns,) int8; rows : (rows,) ROW; fields : (1,) FIELDS.
    out : int8, int16 or wider; it may overlap `vector`.
    """
    # In this function: where they come as an argument, the loop is a third slower.
    activations = broadcast(vector, fields[0].a_zero)
    columns = len(activations)
    gated = np.int64(0)
    for c in range(columns):
        if activations[c] == 0:
            gated += nonzeros[c]
    zero, lo, hi = fields[0].dst_zero, fields[0].lo, fields[0].hi
    for i in range(len(weights)):
        total = np.int32(0)
        for c in range(columns):
            # int32 throughout, so that the compiler may use its widest multiply-add.
            total = np.int32(total + np.int32(weights[i, c]) * activations[c])
        out[rows[i].destination] = requantize(
            np.int64(total), rows[i].bias, rows[i].multiplier, rows[i].shift, zero, lo, hi
        )
    return gated
