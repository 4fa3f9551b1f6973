"""Structures in the chip's memories, from the tables that the software reads and writes them by."""

import numpy as np
from amaranth.hdl import signed
from amaranth.lib import data


def layout(dtype: np.dtype) -> data.FlexibleLayout:
    """A little-endian structure of numpy as a view of its bits: field for field, gaps included."""
    assert dtype.fields is not None
    fields = {}
    for name, (kind, offset, *_) in dtype.fields.items():
        bits = 8 * kind.itemsize
        fields[name] = data.Field(signed(bits) if kind.kind == "i" else bits, 8 * offset)
    return data.FlexibleLayout(8 * dtype.itemsize, fields)
