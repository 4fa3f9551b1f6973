"""An LSTM's step in vectors beside the scalar functions, unit by unit."""

import numpy as np
import pytest

from kernels.engines.cell import lstm_cell
from npu.model import numerics
from npu.model.numerics import mul_affine, saturate, saturating_add_int16


def unit_by_unit(from_input, from_hidden, gate, cell_scaling, muls, clip, cell):
    """The new cell and hidden state, (units,)."""
    forget, added_mul, output = muls
    sums = [
        saturating_add_int16(int(a), int(b)) for a, b in zip(from_input, from_hidden, strict=True)
    ]
    i, f, g, o = np.reshape(sums, (4, -1)).tolist()
    cells, hidden = [], []
    for u, state in enumerate(cell.tolist()):
        i[u], f[u], o[u] = (numerics.sigmoid_int16(x[u], *gate) for x in (i, f, o))
        g[u] = numerics.tanh_int16(g[u], *gate)
        kept = mul_affine(f[u], state, 0, 0, *forget, -0x8000, 0x7FFF)
        added = mul_affine(i[u], g[u], 0, 0, *added_mul, -0x8000, 0x7FFF)
        new = saturating_add_int16(kept, added)
        new = saturate(new, -clip, clip) if clip > 0 else new
        squashed = numerics.tanh_int16(new, *cell_scaling)
        cells.append(new)
        hidden.append(mul_affine(squashed, o[u], 0, 0, *output, -0x80, 0x7F))
    return np.array(cells, np.int16), np.array(hidden, np.int8)


@pytest.mark.parametrize("units", [1, 7, 8, 20, 67])
@pytest.mark.parametrize(("clip", "log2_scale"), [(0, -11), (0, -15), (20000, -12), (1, -9)])
def test_equals_unit_by_unit(units, clip, log2_scale):
    rng = np.random.default_rng(units)
    limits = np.iinfo(np.int16)
    multiplier = int(rng.integers(1 << 30, 1 << 31))
    muls = (multiplier, -14, 0), (multiplier, -17, 0), (multiplier, -22, -3)
    scalings = numerics.table_input_scaling(-12), numerics.table_input_scaling(log2_scale)
    cell = rng.integers(limits.min, limits.max + 1, units).astype(np.int16)
    hidden, room = np.zeros(units, np.int8), np.empty((2, 4 * units), np.int32)
    for scale in (1, 8, 64):  # from what saturates to what is near zero
        sums = rng.integers(limits.min, limits.max + 1, (2, 4 * units)) // scale
        sums[:, :1] = limits.min
        from_input, from_hidden = sums.astype(np.int16)
        right = unit_by_unit(from_input, from_hidden, *scalings, muls, clip, cell)
        lstm_cell(from_input, from_hidden, *scalings, *muls, clip, cell, hidden, room)
        np.testing.assert_array_equal(cell, right[0])
        np.testing.assert_array_equal(hidden, right[1])
