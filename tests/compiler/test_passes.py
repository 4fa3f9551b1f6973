"""The compiler's passes: allocation, tiles, placement, schedule, verification, determinism."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler import Model, check_model, compile_model, load_model, verify
from compiler.codec import entropy_bits
from compiler.lowering.ir import Buffer, ChipModule, Matrix, MatVec, Segment, StoreOutput, Vector
from compiler.lowering.site import GraphLowering
from compiler.passes.allocate import allocate, lifetimes
from compiler.passes.assembler import Assembler, MemoryMap
from compiler.passes.tiles import pack_matrix
from compiler.passes.weights import plan_weights
from kernels import Interpreter
from npu.chip.isa import ElementType, decode_program
from npu.chip.params import ChipParams, load_params
from npu.chip.weight_format import MAX_SCALES, ROW_DTYPE, SCALE_DTYPE, unpack_block
from npu.errors import CapacityError, UnsupportedError
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.layer import Layer
from npu.model.operators.binary import Add
from npu.model.operators.move import Reshape
from npu.model.operators.product import FullyConnected
from npu.model.operators.rescale import Relu
from npu.runtime.sessions import GraphSession
from tests.conftest import ROOT
from tests.tflite_builder import ModelSpec, write

VECTORS = ROOT / "tests" / "vectors" / "tflite"
LAYER = Layer("main", "layer")


def chip(**changes):
    return ChipParams(**(load_params("tiny").model_dump() | changes))


# --- refusals -----------------------------------------------------------------------------------
def test_errors_begin_with_the_file():
    """Of a transducer with that of the graph, where they name its segment."""
    model = load_model("commands_rnnt")
    place = r"^encoder\.tflite: operator 0 \(UNI.*LSTM\) recurrent: 192 columns, a lane of"
    for run in (check_model, compile_model):
        with pytest.raises(CapacityError, match=place):
            run(model, chip(activation_entries=128))
    small = chip(bank_bytes=262144, sram_bytes=4096)
    with pytest.raises(CapacityError, match=r"^commands_rnnt: the model needs \d+ bytes of vector"):
        check_model(model, small)


def test_a_tensor_that_is_too_large_is_refused_before_its_rows_are_lowered(tmp_path):
    """A few hundred bytes may ask for a command for each of millions of rows."""
    spec, rows = ModelSpec(), 1 << 22
    spec.tensor((1, rows, 1), scale=np.float32(0.1))
    spec.tensor((1, 1), scale=np.float32(0.1), data=np.ones((1, 1), np.int8))
    spec.tensor((1, rows, 1), scale=np.float32(0.1))
    spec.operator("FULLY_CONNECTED", [0, 1, -1], [2], ("FullyConnectedOptions", {}))
    spec.inputs, spec.outputs = [0], [2]
    (tmp_path / "m.tflite").write_bytes(write(spec))
    with pytest.raises(CapacityError, match=r"^m\.tflite: input: 't0' needs \d+ bytes of vector"):
        check_model(load_model(tmp_path / "m.tflite"), chip())


# --- allocation ---------------------------------------------------------------------------------
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
        Buffer(f"b{i}", 1, 8 * size, ElementType.INT8, 8 * size, persistent)
        for i, (size, _, _, persistent) in enumerate(drawn)
    ]
    touched = []
    for step in range(20):
        here = [
            b for b, (_, at, more, _) in zip(buffers, drawn, strict=True) if step in (at, at + more)
        ]
        # An operator reads one buffer and writes the next.
        for source, target in zip(here, here[1:] or here, strict=False):
            op = Vector("VCOPY", 8, dst=target.row(0), a=source.row(0))
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
    buffers = [Buffer(f"b{i}", 1, 64, ElementType.INT8, 64) for i in range(4)]
    for buffer in buffers:
        segment.add(StoreOutput("out", buffer), LAYER)
    assert allocate(ChipModule({"s": segment}, buffers, []), chip()) == 64


# --- tiles --------------------------------------------------------------------------------------
def matrix(rows, columns, scales, seed=0, density=0.3):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    weights[rng.random(weights.shape) >= density] = 0
    return Matrix(
        Layer("", "m", rows=(rows,)),
        weights,
        bias=rng.integers(-(2**31), 2**31, rows),
        destination=rng.permutation(rows),
        multipliers=np.resize(rng.integers(2**30, 2**31, scales), rows),
        shifts=rng.integers(-20, 5, scales)[np.arange(rows) % scales],
        columns_used=columns,
    )


@pytest.mark.parametrize("scales", [1, 3, MAX_SCALES, MAX_SCALES + 1, 100])
@pytest.mark.parametrize("max_words", [400, 40])
def test_records_stand_in_slot_order(scales, max_words):
    m = matrix(100, 60, scales)
    packed = pack_matrix(m, chip(), max_words, 8192)
    assert (len(packed.tiles) > 1) == (max_words == 40)
    block = unpack_block(np.frombuffer(packed.block, np.uint8), 0)
    assert not isinstance(block, str), block
    _, shared = block
    assert len(shared) == (0 if scales > MAX_SCALES else scales)
    first = 0
    for tile in packed.tiles:
        assert tile.bank_words <= max_words
        assert len(tile.image) % 8 == 0
        rows = first + np.concatenate(tile.packed.slot_rows)
        first += len(rows)
        item = ROW_DTYPE.itemsize + (0 if len(shared) else SCALE_DTYPE.itemsize)
        raw = np.frombuffer(tile.records, np.uint8).reshape(len(rows), item)
        records = raw[:, :8].copy().view(ROW_DTYPE)[:, 0]
        own = shared[records["scale"]] if len(shared) else raw[:, 8:].copy().view(SCALE_DTYPE)[:, 0]
        np.testing.assert_array_equal(records["bias"], m.bias[rows])
        np.testing.assert_array_equal(records["destination"], m.destination[rows])
        np.testing.assert_array_equal(own["multiplier"], m.multipliers[rows])
        np.testing.assert_array_equal(own["shift"], m.shifts[rows])
        start = first - len(rows)
        np.testing.assert_array_equal(tile.packed.decode(), m.weights[start:first])
    assert first == 100
    assert packed.record_bytes == 100 * item


def test_entropy_is_that_of_the_operators_own_matrices():
    """Rows of other scale are no matrices of their own; an LSTM's gates are, and padding is not."""
    m = matrix(3, 40, 3)
    assert pack_matrix(m, chip(), 400, 8192).entropy_bits == entropy_bits(m.weights)
    gates = [np.full((2, 30), value, np.int8) for value in range(4)]
    physical = np.zeros((8, 40), np.int8)
    physical[:, :30] = np.concatenate(gates)
    m = matrix(8, 40, 1)
    m.weights, m.operands = physical, tuple(gates)
    assert pack_matrix(m, chip(), 400, 8192).entropy_bits == 0 == entropy_bits(*gates)


def test_matrices_that_do_not_fit():
    with pytest.raises(CapacityError, match="m: a single row does not fit 64 bytes per bank"):
        pack_matrix(matrix(3, 1000, 1, density=1), chip(), 8, 8192)
    with pytest.raises(CapacityError, match="m: parameter memory leaves 7 bytes for row records"):
        pack_matrix(matrix(3, 10, 1), chip(), 8, 7)
    m = matrix(3, 10, 1)
    m.destination = np.array([0, 1, 65536])
    with pytest.raises(CapacityError, match="m: its rows go to 65537 places, a row record names"):
        pack_matrix(m, chip(), 8, 8192)


# --- placement ----------------------------------------------------------------------------------
def module_of(*matrices):
    segment = Segment("main")
    src = Buffer("src", 1, 1024, ElementType.INT8, 1024)
    dst = Buffer("dst", 1, 256, ElementType.INT8, 256)
    for m in matrices:
        views = src.row(0).part(0, m.weights.shape[1]), dst.row(0)
        segment.add(MatVec(m, *views, 0, 0, -128, 127), m.layer)
    src.persistent = True
    return ChipModule({"main": segment}, [src, dst], [])


def test_all_resident_where_everything_fits():
    module = module_of(matrix(50, 60, 1), matrix(60, 50, 20, seed=1))
    plan = plan_weights(module, chip())
    verify.weights(plan, chip())
    assert all(placed.resident for placed in plan.matrices.values())
    assert plan.stream_banks == (0, 0)
    banks = [tile.bank for placed in plan.matrices.values() for tile in placed.tiles]
    assert banks == sorted(set(banks))


def test_two_halves_where_not():
    params = chip(bank_bytes=1024)
    small, large = matrix(10, 20, 1), matrix(200, 60, 1, seed=1)
    plan = plan_weights(module_of(large, small), params)
    verify.weights(plan, params)
    assert plan.matrices[small].resident
    assert not plan.matrices[large].resident
    low, high = plan.stream_banks
    size = high - low
    assert 0 < high + size <= params.bank_bytes // params.bus_bytes
    first, second = plan.stream_records
    assert len(plan.constants) <= first < second
    assert all(len(tile.tile.records) <= second - first for tile in plan.matrices[large].tiles)
    assert all(tile.tile.bank_words <= size for tile in plan.matrices[large].tiles)
    assert second + (second - first) <= params.param_bytes


def test_too_many_columns():
    with pytest.raises(CapacityError, match=r"m: 1000 columns, .* 512 .activation_entries 512"):
        plan_weights(module_of(matrix(2, 1000, 1)), chip(activation_entries=512))
    wide = matrix(1, 65536, 1, density=0.001)
    with pytest.raises(CapacityError, match=r"m: 65536 columns, a lane .* takes 65535"):
        plan_weights(module_of(wide), chip(activation_entries=65536))


def test_parameter_memory_for_the_tables():
    matrices = [matrix(2, 40, 1, seed=i) for i in range(6)]
    with pytest.raises(CapacityError, match=r"code and look-up tables take \d+ bytes"):
        plan_weights(module_of(*matrices), chip(param_bytes=256))


# --- lowering: what the chip cannot do ----------------------------------------------------------
def refusal(*tensors, operators, inputs=(0,), outputs=None):
    graph = Graph("g", tensors, operators, inputs, outputs or (len(tensors) - 1,))
    with pytest.raises(UnsupportedError) as caught:
        session(graph)
    return str(caught.value)


def test_what_the_chip_cannot_do_is_refused_by_name():
    q = quantization()
    x, y = (Tensor(name, (2, 12), "int8", q, None) for name in "xy")
    constant = Tensor("c", (2, 12), "int8", q, np.zeros((2, 12), np.int8))
    message = refusal(x, constant, y, operators=(Add("add 7", 0, 1, 2),))
    assert "g: add 7: operand 'c' is a constant; the chip takes int8 activations" in message
    flat = Tensor("f", (1, 24), "int8", q, None)
    other = Tensor("o", (1, 24), "int8", q, None)
    operators = (Reshape("r", 0, 1), Add("add 8", 1, 2, 3))
    message = refusal(x, flat, other, flat, operators=operators, inputs=(0, 2))
    assert "g: add 8: operands lie in rows of 12 and 24 elements" in message
    cut = Tensor("k", (2, 12), "int8", q, None)
    weights = Tensor("w", (3, 12), "int8", quantization(0.01, 0), np.ones((3, 12), np.int8))
    out = Tensor("z", (2, 3), "int8", q, None)
    operators = (Reshape("r", 0, 1), FullyConnected("fc 9", 1, 2, None, 3))
    message = refusal(flat, cut, weights, out, operators=operators)
    assert (
        "g: fc 9: rows of 12 elements cut out of rows of 24 do not start on a bus word" in message
    )


# --- schedule -----------------------------------------------------------------------------------
def test_tiles_load_two_ahead_of_their_products():
    image = compile_model(load_model(VECTORS / "lstm_320.tflite"), load_params("tiny"))
    assert sum(layer.tiles for layer in image.header.layers if not layer.resident) > 10
    program = decode_program(image.program)[image.header.invoke.pc :]
    halves = {cmd.bank: cmd.tag for cmd in program if cmd.opcode.name == "LOAD_BANK"}
    assert sorted(halves.values()) == [0, 1]
    events = []
    for cmd in program:
        if cmd.opcode.name == "LOAD_BANK":
            events.append(("load", halves[cmd.bank]))
        elif cmd.opcode.name == "MATVEC" and cmd.bank in halves:
            events.append(("product", halves[cmd.bank]))
        elif cmd.opcode.name == "WAIT":
            events.append(("wait", cmd.tags.bit_length() - 1))
    products = [i for i, (kind, _) in enumerate(events) if kind == "product"]
    loads = [i for i, (kind, _) in enumerate(events) if kind == "load"]
    assert len(products) == len(loads)
    assert loads[:2] == [0, 1]
    for k, at in enumerate(products):
        assert events[at] == ("product", k % 2)
        assert events[at - 1] == ("wait", k % 2)
        assert events[loads[k]] == ("load", k % 2)
        if k + 2 < len(loads):
            # Not before its half is free, not later than necessary.
            assert loads[k + 2] == at + 1


# --- long vectors, equal names, repeated outputs ------------------------------------------------
def quantization(scale=0.05, zero_point=3):
    return Quantization(np.array([scale], np.float32), zero_point)


def session(graph, **changes):
    model = Model("made", {"main": graph}, None, None, {})
    return GraphSession(compile_model(model, chip(**changes)))


def test_vectors_longer_than_a_command():
    shape = (1, 70_003)
    tensors = [Tensor(n, shape, "int8", quantization(), None) for n in "abc"]
    graph = Graph("long", tuple(tensors), (Add("add", 0, 1, 2),), (0, 1), (2,))
    rng = np.random.default_rng(1)
    inputs = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(2)]
    run = session(graph, sram_bytes=1 << 18)
    np.testing.assert_array_equal(run.invoke(inputs)[0], Interpreter(graph).invoke(inputs)[0])
    adds = [c for c in run.machine.program if c.opcode.name == "VADD"]
    assert sum(c.n for c in adds) == 70_003
    assert len(adds) == 2


def test_inputs_of_one_name_and_an_output_twice():
    tensors = [Tensor("", (1, 9), "int8", quantization(0.05 + 0.01 * i), None) for i in range(4)]
    operators = (Add("add", 0, 1, 2), Relu("relu", 1, 3))
    graph = Graph("names", tuple(tensors), operators, (0, 1), (3, 2, 3, 0))
    rng = np.random.default_rng(2)
    inputs = [rng.integers(-128, 128, (1, 9)).astype(np.int8) for _ in range(2)]
    for found, expected in zip(
        session(graph).invoke(inputs), Interpreter(graph).invoke(inputs), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_an_input_that_is_the_output():
    tensors = (
        Tensor("x", (1, 9), "int8", quantization(), None),
        Tensor("x", (9,), "int8", quantization(), None),
    )
    graph = Graph("same", tensors, (Reshape("reshape", 0, 1),), (0,), (1,))
    x = np.arange(9, dtype=np.int8).reshape(1, 9)
    np.testing.assert_array_equal(session(graph).invoke([x])[0], x[0])


# --- programs that are too long -----------------------------------------------------------------
def test_programs_that_do_not_fit():
    asm = Assembler()
    for _ in range(5000):
        asm.emit("HALT")
    with pytest.raises(CapacityError, match="the program takes 160000 bytes, chip 'tiny'"):
        asm.program(chip(program_bytes=16384))
    asm.label("far")
    asm.jump("far")
    with pytest.raises(
        CapacityError, match="label 'far' is at command 5000, a branch reaches 4095"
    ):
        asm.program(chip(program_bytes=1 << 20))
    with pytest.raises(ValueError, match="label 'far' is placed twice"):
        asm.label("far")


def test_external_memory_that_is_too_small():
    memory = MemoryMap(chip(memory_bytes=65536))
    assert memory.place("a", bytes(65529)) == 0
    with pytest.raises(CapacityError, match="more than 65544 bytes of external memory"):
        memory.reserve(1)


# --- verification: every check can fail ---------------------------------------------------------
def lowered():
    model = load_model(VECTORS / "joint.tflite")
    segment = Segment("main")
    lowering = GraphLowering(model.graphs["main"], chip(), segment)
    return ChipModule({"main": segment}, lowering.buffers, lowering.resets)


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
    view = next(op for op in module.segments["main"].operators if isinstance(op, Vector)).a
    object.__setattr__(view, "n", 10**6)
    faulty(module, "a view leaves")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "weights", m.weights[:, :-1]), "columns, .* inputs"),
        (lambda m: setattr(m, "bias", m.bias[:-1]), "bias is not one per row"),
        (lambda m: setattr(m, "shifts", m.shifts[:-1]), "shifts is not one per row"),
        (lambda m: m.destination.__setitem__(0, m.destination[1]), "two rows have the same"),
        (lambda m: m.destination.__setitem__(0, 10**6), "a destination leaves the output"),
        (lambda m: m.destination.__setitem__(0, -1), "a destination leaves the output"),
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
    object.__setattr__(op, "dst", op.src.buffer.row(0))
    faulty(module, "in place")


def planned(**changes):
    params = chip(bank_bytes=1024, **changes)
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
    resident = [placed for placed in plan.matrices.values() if placed.resident]
    resident[1].tiles[0].bank = resident[0].tiles[0].bank
    found(plan, params, "overlaps its neighbour")
    plan, params = planned()
    low, high = plan.stream_banks
    plan.stream_banks = (low, high + 9)
    found(plan, params, "bus words, .* exist")
    plan, params = planned()
    plan.stream_banks = (low, low + 2)
    found(plan, params, "a tile leaves its half")


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


# --- determinism --------------------------------------------------------------------------------
SCRIPT = """
import hashlib
from compiler import compile_model, load_model
from npu.chip.params import load_params
for name, chip in (("commands_rnnt", "edge"), ({path!r}, "tiny")):
    raw = compile_model(load_model(name), load_params(chip)).to_bytes()
    print(hashlib.sha256(raw).hexdigest())
"""


def test_two_processes_write_the_same_bytes():
    path = str(VECTORS / "lstm_stream.tflite")
    answers = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(path=path)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.append(done.stdout.split())
    assert answers[0] == answers[1]
    here = compile_model(load_model(path), load_params("tiny")).to_bytes()
    assert hashlib.sha256(here).hexdigest() == answers[0][1]


def test_two_sessions_of_an_image_share_nothing():
    image = compile_model(load_model(VECTORS / "lstm_stream.tflite"), load_params("tiny"))
    recorded = np.load(VECTORS / "lstm_stream.npz")
    one, two = GraphSession(image), GraphSession(image)
    for call in range(3):
        np.testing.assert_array_equal(
            one.invoke([recorded["input0"][call]])[0], recorded["output"][call]
        )
    np.testing.assert_array_equal(two.invoke([recorded["input0"][0]])[0], recorded["output"][0])
