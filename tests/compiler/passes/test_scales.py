"""Scales of a matrix: shared while a block takes so many, else one with every record."""

import numpy as np
import pytest

from compiler.passes.scales import RowScales
from npu.chip.weight_format import MAX_SCALES, ROW_DTYPE, SCALE_DTYPE
from tests.compiler.passes.made import matrix


@pytest.mark.parametrize("scales", [1, 3, MAX_SCALES])
def test_shared(scales):
    made = matrix(300, 4, scales)
    found = RowScales.of(made)
    assert len(found.shared) == scales and not found.per_row
    assert found.record_bytes == ROW_DTYPE.itemsize
    np.testing.assert_array_equal(found.shared["multiplier"][found.index], made.multipliers)
    np.testing.assert_array_equal(found.shared["shift"][found.index], made.shifts)


def test_one_a_row():
    made = matrix(300, 4, MAX_SCALES + 1)
    found = RowScales.of(made)
    assert found.per_row and len(found.shared) == 0 and not found.index.any()
    assert found.record_bytes == ROW_DTYPE.itemsize + SCALE_DTYPE.itemsize
    order = np.array([7, 2])
    records = np.frombuffer(found.records(made, order), np.uint8).reshape(2, found.record_bytes)
    own = records[:, ROW_DTYPE.itemsize :].copy()
    np.testing.assert_array_equal(
        own.view(SCALE_DTYPE)["multiplier"][:, 0], made.multipliers[order]
    )
    # Padding is zero, not what the memory held.
    assert not own[:, 5:].any()
