"""What the software writes into a structure is what the hardware reads out of it."""

import numpy as np
import pytest

pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")

from npu.chip.weight_format import ROW_DTYPE, SCALE_DTYPE
from rtl.shared.layouts import layout


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (ROW_DTYPE, {"bias": -(1 << 31), "destination": 65535, "scale": 200}),
        (ROW_DTYPE, {"bias": 7, "destination": 1, "scale": 0}),
        (SCALE_DTYPE, {"multiplier": (1 << 31) - 1, "shift": -128}),
        (SCALE_DTYPE, {"multiplier": -5, "shift": 31}),
    ],
)
def test_every_field_is_read_where_it_was_written(dtype, values):
    record = np.zeros(1, dtype)
    for name, value in values.items():
        record[name] = value
    view = layout(dtype).from_bits(int.from_bytes(record.tobytes(), "little"))
    assert {name: view[name] for name in values} == values
