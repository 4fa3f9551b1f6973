"""The schedule: loads ahead of their products, vectors longer than a command."""

import numpy as np

from compiler import compile_model, load_model
from kernels import Interpreter
from npu.chip.isa import decode_program
from npu.chip.params import load_params
from npu.model.graph import Graph, Tensor
from npu.model.operators.binary import Add
from tests.compiler.passes.made import VECTORS, quantization, session


def test_tiles_load_two_ahead_of_their_products():
    image = compile_model(load_model(VECTORS / "lstm_320.tflite"), load_params("tiny"))
    assert sum(layer.tiles for layer in image.header.layers if not layer.resident) > 10
    program = decode_program(image.program)
    before, program = program[: image.header.invoke.pc], program[image.header.invoke.pc :]
    halves = {cmd.bank: cmd.tag for cmd in program if cmd.opcode.name == "LOAD_BANK"}
    assert sorted(halves.values()) == [0, 1]
    tiles = [cmd.ext for cmd in program if cmd.opcode.name == "LOAD_BANK"]
    events = []
    for cmd in program:
        if cmd.opcode.name == "LOAD_BANK":
            events.append(("load", halves[cmd.bank]))
        elif cmd.opcode.name == "MATVEC" and cmd.bank in halves:
            events.append(("product", halves[cmd.bank]))
        elif cmd.opcode.name == "WAIT":
            events.append(("wait", cmd.tags.bit_length() - 1))
        elif cmd.opcode.name == "STORE":
            events.append(("store", 0))
    products = [i for i, (kind, _) in enumerate(events) if kind == "product"]
    loads = [i for i, (kind, _) in enumerate(events) if kind == "load"]
    assert len(products) == len(loads)
    for k, at in enumerate(products):
        assert events[at] == ("product", k % 2)
        assert events[at - 1] == ("wait", k % 2)
        if k + 2 < len(loads):
            # Not before its half is free, not later than necessary.
            assert loads[k] == at + 1
            assert events[loads[k]] == ("load", k % 2)
    # Those of the next call load behind what is stored, those of the first call with the reset.
    assert events[-3:] == [("store", 0), ("load", 0), ("load", 1)]
    first = [(c.ext, c.tag) for c in before if c.opcode.name == "LOAD_BANK" and c.tag in (0, 1)]
    assert first == [(tiles[-2], 0), (tiles[-1], 1)]


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
