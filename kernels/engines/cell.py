"""The element-wise half of an LSTM, 8x8->16.

In loops of one kind of work each: all but those that read a table are made of vectors, and no
branch is to be guessed.
"""

import numpy as np

from npu.jit import inner_kernel, kernel
from npu.model.numerics import (
    requantize_int32,
    saturate,
    saturating_add_int16,
    shift_right_int32,
    sigmoid_step,
    sigmoid_within,
    tanh_step,
    tanh_within,
)
from npu.model.numerics.table import SIGMOID_STEPS, TANH_STEPS


@inner_kernel
def _scale(value, multiplier, rounding, shift):
    """As `scale_table_input` with `rounding` = 2^`shift` / 2, in int32: it stays there."""
    return shift_right_int32(np.int32(np.int32(value * multiplier) + rounding), shift)


@inner_kernel
def _sigmoids(scaled, steps, output):
    """Q0.15 of `scaled` (n,), inputs in the table's scale, into `output`; `steps` is room."""
    for k in range(scaled.shape[0]):
        steps[k] = SIGMOID_STEPS[np.uint64(sigmoid_step(np.int64(scaled[k])))]
    for k in range(scaled.shape[0]):
        output[k] = sigmoid_within(np.int64(scaled[k]), np.int64(steps[k]))


@inner_kernel
def _tanhs(scaled, steps, output):
    """Q0.15 of `scaled` (n,), inputs in the table's scale, into `output`; `steps` is room."""
    for k in range(scaled.shape[0]):
        steps[k] = TANH_STEPS[np.uint64(tanh_step(np.int64(scaled[k])))]
    for k in range(scaled.shape[0]):
        output[k] = tanh_within(np.int64(scaled[k]), np.int64(steps[k]))


@inner_kernel
def _factor(mul):
    """Multiplier, left and right shift of (multiplier, shift, zero point), as int32."""
    return np.int32(mul[0]), np.int32(max(mul[1], 0)), np.int32(max(-mul[1], 0))


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
    room,
):
    """One step of a layer after its products, in place on `cell` and `hidden`.

    `from_input` and `from_hidden` are (4 * units,) int16 in Q3.12, gates i, f, g, o one after the
    other; what is in the latter is overwritten. `cell` is (units,) int16, `hidden` (units,) int8.
    The `*_mul` are (multiplier, shift, zero point). `room` is (2, 4 * units) int32.
    """
    units = cell.shape[0]
    scaled, steps = room[0], room[1]
    multiplier, shift = np.int32(gate_scaling[0]), np.int32(gate_scaling[1])
    rounding = np.int32((1 << gate_scaling[1]) >> 1)
    for k in range(4 * units):
        both = saturating_add_int16(np.int32(from_input[k]), np.int32(from_hidden[k]))
        scaled[k] = _scale(both, multiplier, rounding, shift)
    gates = from_hidden
    _sigmoids(scaled[: 2 * units], steps[: 2 * units], gates[: 2 * units])
    _tanhs(
        scaled[2 * units : 3 * units], steps[2 * units : 3 * units], gates[2 * units : 3 * units]
    )
    _sigmoids(scaled[3 * units :], steps[3 * units :], gates[3 * units :])
    i, f, g, o = gates[:units], gates[units:], gates[2 * units :], gates[3 * units :]

    lo, hi, zero = np.int32(-0x8000), np.int32(0x7FFF), np.int32(0)
    most = np.int32(cell_clip) if cell_clip > 0 else hi
    least = np.int32(-cell_clip) if cell_clip > 0 else lo
    keep, keep_left, keep_right = _factor(forget_mul)
    add, add_left, add_right = _factor(input_mul)
    for u in range(units):
        kept = np.int32(f[u]) * np.int32(cell[u])
        kept = requantize_int32(np.int32(kept), keep, keep_left, keep_right, zero, lo, hi)
        added = np.int32(i[u]) * np.int32(g[u])
        added = requantize_int32(np.int32(added), add, add_left, add_right, zero, lo, hi)
        cell[u] = saturate(saturating_add_int16(kept, added), least, most)

    multiplier, shift = np.int32(cell_scaling[0]), np.int32(cell_scaling[1])
    rounding = np.int32((1 << cell_scaling[1]) >> 1)
    for u in range(units):
        scaled[u] = _scale(np.int32(cell[u]), multiplier, rounding, shift)
    _tanhs(scaled[:units], steps, i)
    out, out_left, out_right = _factor(output_mul)
    zero, lo, hi = np.int32(output_mul[2]), np.int32(-0x80), np.int32(0x7F)
    for u in range(units):
        squashed = np.int32(np.int32(i[u]) * np.int32(o[u]))
        hidden[u] = requantize_int32(squashed, out, out_left, out_right, zero, lo, hi)
