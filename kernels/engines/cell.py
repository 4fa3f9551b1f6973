"""The element-wise half of an LSTM, 8x8->16."""

import numpy as np

from npu.jit import kernel
from npu.model.numerics import (
    mul_affine,
    saturate,
    saturating_add_int16,
    sigmoid_int16,
    tanh_int16,
)


@kernel
def lstm_cell(
    from_input,
    from_hidden,
    gate_scaling,
    cell_scaling,
    forget_mul,
    input_mul,
    output_mul,
    cell_clip,
    cell,
    hidden,
):
    """One step of a layer after its products, in place on `cell` and `hidden`.

    `from_input` and `from_hidden` are (4 * units,) int16 in Q3.12, gates i, f, g, o one after the
    other; `cell` is (units,) int16, `hidden` (units,) int8. The `*_mul` are (multiplier, shift,
    zero point).
    """
    units = cell.shape[0]
    for u in range(units):
        i = saturating_add_int16(np.int64(from_input[u]), np.int64(from_hidden[u]))
        f = saturating_add_int16(np.int64(from_input[units + u]), np.int64(from_hidden[units + u]))
        g = saturating_add_int16(
            np.int64(from_input[2 * units + u]), np.int64(from_hidden[2 * units + u])
        )
        o = saturating_add_int16(
            np.int64(from_input[3 * units + u]), np.int64(from_hidden[3 * units + u])
        )
        i = sigmoid_int16(i, gate_scaling[0], gate_scaling[1])
        f = sigmoid_int16(f, gate_scaling[0], gate_scaling[1])
        g = tanh_int16(g, gate_scaling[0], gate_scaling[1])
        o = sigmoid_int16(o, gate_scaling[0], gate_scaling[1])
        kept = mul_affine(
            f, np.int64(cell[u]), 0, 0, forget_mul[0], forget_mul[1], 0, -0x8000, 0x7FFF
        )
        added = mul_affine(i, g, 0, 0, input_mul[0], input_mul[1], 0, -0x8000, 0x7FFF)
        state = saturating_add_int16(kept, added)
        if cell_clip > 0:
            state = saturate(state, -cell_clip, cell_clip)
        cell[u] = state
        squashed = tanh_int16(state, cell_scaling[0], cell_scaling[1])
        hidden[u] = mul_affine(
            squashed, o, 0, 0, output_mul[0], output_mul[1], output_mul[2], -0x80, 0x7F
        )
