"""Verification: every check can fail."""

from dataclasses import replace

import pytest

from compiler import compile_model, load_model
from compiler.lowering.ir import Buffer, Loops, MatVec, Positions, Vector, View, Window
from compiler.passes import verify
from compiler.passes.allocate import allocate
from compiler.passes.lifetimes import lifetimes
from compiler.passes.weights import plan_weights
from npu.chip.isa import ElementType
from tests.compiler.passes.made import VECTORS, chip, lowered, matrix, module_of


def faulty(module, message):
    with pytest.raises(AssertionError, match=f"compiler: .*{message}"):
        verify.module(module)


def products(module):
    return [op for op in module.segments["main"].operators if isinstance(op, MatVec)]


def test_a_good_module_passes():
    verify.module(lowered())


def test_module_faults_are_found():
    module = lowered()
    module.buffers.pop()
    faulty(module, "is no buffer of the module")
    module = lowered()
    segment = module.segments["main"]
    segment.operators.pop(0), segment.layers.pop(0)
    faulty(module, "is read before it is written")
    module = lowered()
    view = products(module)[0].dst
    object.__setattr__(view, "offset", view.buffer.n_bytes)
    faulty(module, "a view leaves")
    module = lowered()
    vector = next(op for op in module.segments["main"].operators if isinstance(op, Vector))
    object.__setattr__(vector, "n", 10**6)
    faulty(module, "a view leaves")
    module = lowered()
    vector = next(op for op in module.segments["main"].operators if isinstance(op, Vector))
    object.__setattr__(vector, "loops", Loops((1, 2), a=(1, 0, 0), dst=(1, 0, 1 << 16)))
    faulty(module, "a view leaves")


def windowed(window=None, positions=None):
    """A module with a window that lies partly before, beside and below its tensor of 2 x 60."""
    module = module_of(matrix(20, 64, 1))
    (op,) = products(module)
    rows = Buffer("rows", 120, ElementType.INT8, 120, persistent=True)
    module.buffers.append(rows)
    object.__setattr__(op, "src", View(rows, -3, 64))
    right = Window(length=8, width=60, height=2, ny=8, x=-3, dy=1, pitch=60)
    object.__setattr__(op, "window", replace(right, **(window or {})))
    right = Positions(count_x=8, a_x=8, dst_x=20)
    object.__setattr__(op, "positions", replace(right, **(positions or {})))
    return module


def test_windows_beyond_their_tensors_are_found():
    verify.module(windowed())
    for wrong in ({"height": 3}, {"width": 61}, {"x": -2}):
        faulty(windowed(window=wrong), "a view leaves")
    for wrong in ({"count_x": 14}, {"dst_x": -1}):
        faulty(windowed(positions=wrong), "a view leaves")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "weights", m.weights[:, :-1]), "columns, .* inputs"),
        (lambda m: setattr(m, "bias", m.bias[:-1]), "bias is not one per row"),
        (lambda m: setattr(m, "shifts", m.shifts[:-1]), "shifts is not one per row"),
        (lambda m: m.destination.__setitem__(0, m.destination[1]), "two rows have the same"),
        (lambda m: m.destination.__setitem__(0, 10**6), "a view leaves"),
        (lambda m: m.destination.__setitem__(0, -1), "a view leaves"),
    ],
)
def test_matrix_faults_are_found(change, message):
    module = lowered()
    change(products(module)[0].matrix)
    faulty(module, message)


def test_products_in_place_are_found():
    module = module_of(matrix(20, 60, 1))
    verify.module(module)
    (op,) = products(module)
    object.__setattr__(op, "dst", op.src.buffer.whole())
    faulty(module, "in place")


def summed(offset=0, **changes):
    """A module with a product that leaves its sums, and one that takes them."""
    module = module_of(matrix(20, 60, 1), matrix(20, 60, 1, seed=1))
    sums = Buffer("sums", 20, ElementType.INT32, 80)
    module.buffers.append(sums)
    for op, flag in zip(products(module), ("raw", "add"), strict=True):
        object.__setattr__(op, "sums", View(sums, offset, 20))
        object.__setattr__(op, flag, True)
    for name, value in changes.items():
        object.__setattr__(products(module)[1], name, value)
    return module


def test_sums_out_of_place_are_found():
    verify.module(summed())
    source = products(summed())[1].src.buffer
    for change, message in (
        ({"offset": 4}, "a view leaves sums"),
        ({"offset": -4}, "a view leaves sums"),
        ({"offset": -2}, "a view leaves sums|sums at byte"),
        ({"sums": None}, "sums of no use, or none"),
        ({"add": False}, "sums of no use, or none"),
    ):
        faulty(summed(**change), message)
    module = summed()
    for op in products(module):
        object.__setattr__(op, "sums", View(op.src.buffer, 0, 20))
    faulty(module, "sums where a vector lies")
    module = summed()
    object.__setattr__(products(module)[0], "raw", False)
    object.__setattr__(products(module)[0], "sums", None)
    faulty(module, "sums is read before it is written")
    assert source.persistent


def planned(**changes):
    # From a memory so slow that something stays.
    params = chip(bank_bytes=1024, memory_cycles_per_beat=8, **changes)
    module = module_of(matrix(200, 60, 1, seed=1), matrix(10, 20, 1), matrix(10, 20, 1, seed=3))
    return plan_weights(module, params), params


def test_weight_faults_are_found():
    def found(plan, params, message):
        with pytest.raises(AssertionError, match=f"compiler: .*{message}"):
            verify.weights(plan, params)

    plan, params = planned()
    verify.weights(plan, params)
    m = next(iter(plan.matrices))
    m.weights[3, 5] += 1
    found(plan, params, "do not survive the codec")
    plan, params = planned()
    plan.matrices[next(iter(plan.matrices))].tiles.pop()
    found(plan, params, "tiles hold")
    plan, params = planned()
    stays = [tile for placed in plan.matrices.values() for tile in placed.tiles if tile.stays]
    stays[1].bank = stays[0].bank
    found(plan, params, "overlaps its neighbour")
    plan, params = planned()
    low, high = plan.stream_banks
    plan.stream_banks = (low, high + 9)
    found(plan, params, "bus words, .* exist")
    plan, params = planned()
    plan.stream_banks = (low, low + 2)
    found(plan, params, "a tile leaves its window")


def test_allocation_faults_are_found():
    def found(change, message):
        module = lowered()
        allocate(module, chip())
        verify.allocation(module, chip())
        spans = lifetimes(module)
        change(module, spans)
        with pytest.raises(AssertionError, match=f"compiler: .*{message}"):
            verify.allocation(module, chip())

    found(lambda m, spans: setattr(m.buffers[0], "address", 4), "address 4 is not aligned")
    found(lambda m, spans: setattr(m.buffers[0], "address", -8), "lies outside SRAM")
    end = chip().sram_bytes
    found(lambda m, spans: setattr(m.buffers[0], "address", end), "lies outside SRAM")

    def overlap(module, spans):
        a, b = next(
            (a, b)
            for a in spans
            for b in spans
            if a is not b and spans[a][0] <= spans[b][1] and spans[b][0] <= spans[a][1]
        )
        a.address = b.address

    found(overlap, "overlaps ")


def test_image_faults_are_found():
    image = compile_model(load_model(VECTORS / "joint.tflite"), chip())
    verify.image(image)
    image.memory = image.memory.copy()
    image.memory[100] ^= 1
    with pytest.raises(Exception, match="is damaged"):
        verify.image(image)
