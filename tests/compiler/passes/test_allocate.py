"""Allocation: buffers that are alive together never overlap, others share, outputs go in place."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler import load_model
from compiler.compile import lower
from compiler.lowering.ir import Buffer, ChipModule, Loops, Segment, StoreOutput, Vector
from compiler.passes import verify
from compiler.passes.allocate import allocate
from compiler.passes.lifetimes import live_set, places
from npu import zoo
from npu.chip.isa import ElementType
from npu.chip.params import load_params
from npu.errors import CapacityError, UnsupportedError
from tests.compiler.passes.made import LAYER, VECTORS, chip

lives = st.lists(
    st.tuples(st.integers(1, 200), st.integers(0, 12), st.integers(0, 6), st.booleans()),
    min_size=1,
    max_size=25,
)


def within(used, live, params):
    """The bar: a tenth over the largest live set, and a bus word for everything in it."""
    return live.n_bytes <= used <= 1.1 * live.n_bytes + live.places * params.bus_bytes


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
        # An operator reads one buffer and writes the next, as nothing does in place.
        for source, target in zip(here, here[1:] or here, strict=False):
            op = Vector("VDOT", 8, dst=target.whole(), a=source.whole())
            segments["a" if step < 9 else "b"].add(op, LAYER)
            touched.append({source, target})
    module = ChipModule(segments, buffers, [])
    params = chip(sram_bytes=1 << 20)
    used, live = allocate(module, params)
    cells = np.full((len(touched), used // 8), -1)
    for number, buffer in enumerate(buffers):
        steps = [i for i, pair in enumerate(touched) if buffer in pair]
        first, last = (0, len(touched)) if buffer.persistent else (steps[0], steps[-1])
        at = buffer.address // 8
        area = cells[first : last + 1, at : at + buffer.n_bytes // 8]
        assert area.shape[1] == buffer.n_bytes // 8
        assert (area == -1).all()
        area[:] = number
    taken = (cells >= 0).sum(axis=1)
    assert live.n_bytes == 8 * taken.max()
    assert within(used, live, params)
    verify.allocation(module, params)
    if used > 264:
        with pytest.raises(CapacityError, match=f"needs {used} bytes of vector SRAM"):
            allocate(module, chip(sram_bytes=used - 8))


def test_buffers_that_never_meet_share():
    segment = Segment("s")
    buffers = [Buffer(f"b{i}", 64, ElementType.INT8, 64) for i in range(4)]
    for buffer in buffers:
        segment.add(StoreOutput("out", buffer), LAYER)
    used, live = allocate(ChipModule({"s": segment}, buffers, []), chip())
    assert (used, live.n_bytes, live.places) == (64, 64, 1)


def test_what_greedy_by_size_leaves_too_high_is_placed_earlier():
    """Visual wake words: 27,648 bytes, then 18,432, 18,432, 36,864 and 9,216."""
    segment = Segment("s")
    sizes = [27648, 18432, 18432, 36864, 9216]
    buffers = [Buffer(f"b{i}", n, ElementType.INT8, n) for i, n in enumerate(sizes)]
    for source, target in pairwise(buffers):
        segment.add(Vector("VDOT", 8, dst=target.whole(), a=source.whole()), LAYER)
    used, live = allocate(ChipModule({"s": segment}, buffers, []), chip(sram_bytes=1 << 16))
    assert used == live.n_bytes == 55296


def sum_of(dst, a, b, **changes):
    """A module in which `dst` is the sum of two buffers that nobody needs any more."""
    segment = Segment("s")
    for buffer in (a, b):
        segment.add(Vector("VFILL", 64, dst=buffer.whole()), LAYER)
    op = Vector("VADD", 64, dst=dst.whole(), a=a.whole(), b=b.whole())
    segment.add(replace(op, **changes), LAYER)
    segment.add(StoreOutput("out", dst), LAYER)
    return ChipModule({"s": segment}, list({dst, a, b}), [])


def three(element=ElementType.INT8, n_bytes=64):
    dst = Buffer("dst", n_bytes // element.n_bytes, element, n_bytes)
    return (dst, *(Buffer(name, 64, ElementType.INT8, 64) for name in "ab"))


TURNED = Loops((8, 1), dst=(8, 1, 0), a=(1, 8, 0), b=(8, 1, 0))


@pytest.mark.parametrize(
    ("case", "change", "found"),
    [
        ("plain", {}, "a"),
        ("the same walk", {"n": 8, "loops": TURNED}, "b"),
        ("an address twice", {"n": 8, "loops": replace(TURNED, dst=(1, 1, 0), b=(1, 1, 0))}, None),
        ("a sum", {"opcode": "VDOT"}, None),
        ("a base", {"fields": {"a_rel": 1}}, None),
    ],
)
def test_an_output_takes_the_place_of_an_operand(case, change, found):
    dst, a, b = three()
    module = sum_of(dst, a, b, **change)
    used, live = allocate(module, chip())
    assert used == live.n_bytes == (192 if found is None else 128)
    assert [s.name for s in (a, b) if s.address == dst.address] == ([found] if found else [])
    verify.allocation(module, chip())


def test_an_operand_that_is_needed_keeps_its_place():
    dst, a, b = three()
    module = sum_of(dst, a, b)
    module.segments["s"].add(StoreOutput("too", a), LAYER)
    allocate(module, chip())
    assert a.address != dst.address == b.address
    module.segments["s"].add(StoreOutput("as well", b), LAYER)
    assert allocate(module, chip())[0] == 192
    dst, a, b = three()
    b.persistent = a.persistent = True
    assert allocate(sum_of(dst, a, b), chip())[0] == 192
    assert allocate(sum_of(*three(ElementType.INT16, 128)), chip())[0] == 256


def test_an_output_that_nobody_reads_takes_a_place_as_well():
    dst, a, b = three()
    module = sum_of(dst, a, b)
    del module.segments["s"].operators[-1], module.segments["s"].layers[-1]
    assert allocate(module, chip())[0] == 128
    verify.allocation(module, chip())


def test_a_wrong_place_is_found():
    dst, a, b = three()
    module = sum_of(dst, a, b, n=8, loops=TURNED)
    allocate(module, chip())
    dst.address, b.address = a.address, dst.address
    with pytest.raises(AssertionError, match="is overwritten by dst too early"):
        verify.allocation(module, chip())
    module = sum_of(dst, a, b)
    allocate(module, chip())
    dst.address += 8
    with pytest.raises(AssertionError, match="overwritten"):
        verify.allocation(module, chip())
    module.segments["s"].add(StoreOutput("too", a), LAYER)
    with pytest.raises(AssertionError, match="overlaps"):
        verify.allocation(module, chip())


MODELS = sorted([*VECTORS.glob("*.tflite"), *(VECTORS.parent / "public").glob("*.tflite")])


@pytest.mark.parametrize("preset", ["tiny", "edge", "max"])
def test_models_take_a_tenth_more_than_their_largest_live_set(preset):
    params = load_params(preset)
    for path in (*MODELS, zoo.path("commands_rnnt")):
        try:
            module = lower(load_model(path), params).module
            used, live = allocate(module, params)
        except (CapacityError, UnsupportedError):
            assert preset == "tiny" or path.stem == "products"
            continue
        verify.allocation(module, params)
        assert live == live_set(places(module))
        assert within(used, live, params), path
