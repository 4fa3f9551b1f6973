"""Products with more columns than a lane's copy holds: the twin answers as the kernels."""

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.lowering.ir import Buffer, MatVec, Positions, View, Window
from compiler.lowering.sums import Splitter
from npu.chip.isa import ElementType, decode_program
from npu.runtime.sessions import GraphSession
from tests.compiler.passes.made import chip as small
from tests.compiler.passes.made import matrix
from tests.on_the_twin import chip, differences
from tests.tflite_builder import write
from tests.tflite_kinds import MAKERS

KINDS = (
    "FULLY_CONNECTED",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "TRANSPOSE_CONV",
    "AVERAGE_POOL_2D",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)


@pytest.mark.parametrize("kind", KINDS)
def test_random_models_on_a_chip_that_holds_few_columns(kind, tmp_path):
    rng = np.random.default_rng(len(kind))
    params, path = chip(activation_entries=16, sram_bytes=1 << 14), tmp_path / "m.tflite"
    adds = 0
    for _ in range(6):
        path.write_bytes(write(MAKERS[kind](rng)))
        model = load_model(path)
        # Weights that are computed are no matrix.
        if kind == "FULLY_CONNECTED" and len(model.graphs["main"].inputs) > 1:
            continue
        program = decode_program(compile_model(model, params).program)
        adds += sum(cmd.values.get("add", 0) for cmd in program)
        assert differences(path, rng, params, calls=3) == 0
    assert adds


def parts(rows, columns, window=None, positions=None, **changes):
    """What a product becomes on a small chip, and its matrix."""
    params = small(**changes)
    buffers = []

    def new_buffer(name, n, element):
        buffers.append(Buffer(name, n, element, params.align(n * element.n_bytes)))
        return buffers[-1]

    m = matrix(rows, columns, 1, density=1.0)
    source = Buffer("src", 1 << 16, ElementType.INT8, 1 << 16)
    target = Buffer("dst", 1 << 16, ElementType.INT8, 1 << 16)
    more = {} if positions is None else {"positions": positions}
    op = MatVec(m, View(source, 0, columns), target.whole(), 0, 0, -128, 127, window, **more)
    return m, list(Splitter(params, new_buffer).split(op)), buffers


def test_a_product_that_fits_stays_as_it_is():
    _, (only,), buffers = parts(4, 64, activation_entries=64)
    assert (only.raw, only.add, only.sums, buffers) == (False, False, None, [])


def test_parts_are_nearly_equal_and_only_one_has_the_bias():
    m, found, (buffer,) = parts(4, 130, activation_entries=64)
    assert [op.matrix.weights.shape[1] for op in found] == [40, 48, 42]
    assert [op.src.offset for op in found] == [0, 40, 88]
    assert [(op.add, op.raw) for op in found] == [(False, True), (True, True), (True, False)]
    np.testing.assert_array_equal(np.hstack([op.matrix.weights for op in found]), m.weights)
    np.testing.assert_array_equal(sum(op.matrix.bias for op in found), m.bias)
    assert buffer.n == 4


@pytest.mark.parametrize(
    ("window", "entries", "shapes"),
    [
        # Rows of the window, segments of a row, bytes of a segment.
        (Window(5, 99, 9, 4, 2, dx=7, dy=2, pitch=50), 32, [(2, 2, 5)] * 2),
        (Window(5, 99, 9, 2, 5, dx=7, dy=2, pitch=50), 32, [(1, 2, 5), (1, 3, 5)] * 2),
        (Window(21, 99, 9, 1, 2, dx=7, dy=2), 16, [(1, 1, 8), (1, 1, 13)] * 2),
    ],
)
def test_windows_are_cut_along_rows_segments_and_bytes(window, entries, shapes):
    columns = window.ny * window.nx * -(-window.length // 8) * 8
    m, found, _ = parts(3, columns, window, activation_entries=entries)
    assert [(op.window.ny, op.window.nx, op.window.length) for op in found] == shapes
    np.testing.assert_array_equal(np.hstack([op.matrix.weights for op in found]), m.weights)


def test_sums_of_many_positions_take_a_quarter_of_sram():
    positions = Positions(count_x=10, count_y=7, a_x=1, a_y=100, y_step=1, dst_x=8, dst_y=80)
    window = Window(80, 1000, 100, y=0, dx=1)
    _, found, (buffer,) = parts(8, 80, window, positions, sram_bytes=2048, activation_entries=64)
    assert buffer.n_bytes <= 512
    counted = [op.positions.count_x * op.positions.count_y for op in found if not op.add]
    assert sum(counted) == 70
    first = {(op.src.offset, op.dst.offset) for op in found if not op.add}
    assert len(first) == len(counted)
    # The sum of a group's first element lies where the buffer begins.
    assert {op.sums.offset for op in found} == {0}


def test_answers_do_not_depend_on_where_a_product_is_cut(tmp_path):
    rng, path = np.random.default_rng(5), tmp_path / "m.tflite"
    path.write_bytes(write(MAKERS["CONV_2D"](rng)))
    model = load_model(path)
    graph = model.graphs["main"]
    inputs = [
        [rng.integers(-128, 128, graph.tensors[index].shape).astype(np.int8)]
        for index in graph.inputs
    ]
    answers = [
        GraphSession(compile_model(model, chip(activation_entries=n))).invoke(*inputs)
        for n in (16, 24, 256)
    ]
    for found in answers[1:]:
        np.testing.assert_array_equal(found[0], answers[0][0])
