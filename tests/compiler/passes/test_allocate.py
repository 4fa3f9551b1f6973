"""Allocation: buffers that are alive together never overlap, others share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.lowering.ir import Buffer, ChipModule, Segment, StoreOutput, Vector
from compiler.passes import verify
from compiler.passes.allocate import allocate
from npu.chip.isa import ElementType
from npu.errors import CapacityError
from tests.compiler.passes.made import LAYER, chip

lives = st.lists(
    st.tuples(st.integers(1, 200), st.integers(0, 12), st.integers(0, 6), st.booleans()),
    min_size=1,
    max_size=25,
)


@given(lives)
def test_buffers_alive_together_never_overlap(drawn):
    """(size in words, first step, further steps, persistent) of every buffer."""
    segments = {"a": Segment("a"), "b": Segment("b")}
    buffers = [
        Buffer(f"b{i}", 8 * size, ElementType.INT8, 8 * size, persistent)
        for i, (size, _, _, persistent) in enumerate(drawn)
    ]
    touched = []
    for step in range(20):
        here = [
            b for b, (_, at, more, _) in zip(buffers, drawn, strict=True) if step in (at, at + more)
        ]
        # An operator reads one buffer and writes the next.
        for source, target in zip(here, here[1:] or here, strict=False):
            op = Vector("VCOPY", 8, dst=target.whole(), a=source.whole())
            segments["a" if step < 9 else "b"].add(op, LAYER)
            touched.append({source, target})
    module = ChipModule(segments, buffers, [])
    used = allocate(module, chip(sram_bytes=1 << 20))
    cells = np.full((len(touched), used // 8), -1)
    for number, buffer in enumerate(buffers):
        steps = [i for i, pair in enumerate(touched) if buffer in pair]
        first, last = (0, len(touched)) if buffer.persistent else (steps[0], steps[-1])
        at = buffer.address // 8
        area = cells[first : last + 1, at : at + buffer.n_bytes // 8]
        assert area.shape[1] == buffer.n_bytes // 8
        assert (area == -1).all()
        area[:] = number
    verify.allocation(module, chip(sram_bytes=1 << 20))
    if used > 264:
        with pytest.raises(CapacityError, match=f"needs {used} bytes of vector SRAM"):
            allocate(module, chip(sram_bytes=used - 8))


def test_buffers_that_never_meet_share():
    segment = Segment("s")
    buffers = [Buffer(f"b{i}", 64, ElementType.INT8, 64) for i in range(4)]
    for buffer in buffers:
        segment.add(StoreOutput("out", buffer), LAYER)
    assert allocate(ChipModule({"s": segment}, buffers, []), chip()) == 64
