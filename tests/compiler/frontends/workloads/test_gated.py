"""Blocks behind gates: as TFLite's IF, and what later frames see of those that a gate kept out."""

import numpy as np
import pytest

from compiler import compile_model
from kernels import Interpreter
from npu.chip.params import load_params
from npu.model.operators.gate import ways
from npu.model.operators.product import FullyConnected
from npu.model.operators.ring import CircularBuffer
from npu.model.verify import verify
from npu.runtime.sessions import GraphSession
from tests.compiler.frontends.workloads.blocks import (
    LEFT,
    WIDTH,
    frames,
    gated_blocks,
    gates,
    model_of_block,
    opened,
)
from tests.written_graphs import written

WAYS = ["written", "skipped"]


@pytest.mark.parametrize("unseen", WAYS)
def test_as_tensorflow_lite_micro(unseen):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    graph = gated_blocks(2, unseen)
    ours = Interpreter(graph)
    oracle = runtime.Interpreter.from_bytes(written(graph), arena_size=1 << 22)
    seen = set()
    for x in frames(60):
        oracle.set_input(x, 0)
        oracle.invoke()
        np.testing.assert_array_equal(ours.invoke([x])[0], oracle.get_output(0))
        seen.add(opened(ours))
    assert len(seen) >= 3


@pytest.mark.parametrize("unseen", WAYS)
@pytest.mark.parametrize("chip", ["tiny", "edge"])
def test_the_chip_answers_as_the_kernels_do(unseen, chip):
    graph = gated_blocks(2, unseen)
    session = GraphSession(compile_model(model_of_block(graph), load_params(chip)))
    ours = Interpreter(graph)
    cycles = {}
    for x in frames(20):
        np.testing.assert_array_equal(session.invoke([x])[0], ours.invoke([x])[0])
        cycles.setdefault(sum(opened(ours)), []).append(session.cycles[-1])
    assert len(cycles) >= 2
    for fewer, more in zip(sorted(cycles), sorted(cycles)[1:], strict=False):
        assert max(cycles[fewer]) < min(cycles[more])


@pytest.mark.parametrize("unseen", WAYS)
def test_a_closed_gate_hands_on_what_came_in(unseen):
    graph = gated_blocks(1, unseen)
    ours, shut = Interpreter(graph), 0
    for x in frames(20):
        (found,) = ours.invoke([x])
        if not any(opened(ours)):
            np.testing.assert_array_equal(found, x)
            shut += 1
        else:
            assert not np.array_equal(found, x)
    assert 0 < shut < 20


@pytest.mark.parametrize(("unseen", "seen"), [("written", True), ("skipped", False)])
def test_what_is_seen_of_a_frame_that_was_kept_out(unseen, seen):
    """Two streams that differ in such a frame alone."""
    graph = gated_blocks(1, unseen)
    probe, sorted_out = Interpreter(graph), {True: [], False: []}
    for x in frames(20):
        probe.invoke([x])
        sorted_out[any(opened(probe))].append(x)
    kept, out = sorted_out[True], sorted_out[False]
    answers = []
    for other in out[:2]:
        ours = Interpreter(graph)
        for x in (*kept[:LEFT], other):
            ours.invoke([x])
        answers.append(ours.invoke([kept[LEFT]])[0])
    assert np.array_equal(answers[0], answers[1]) != seen


def test_writing_keys_and_values_keeps_two_products_of_a_width_each():
    gated = {}
    for unseen in WAYS:
        graph = gated_blocks(1, unseen)
        verify(graph)
        inside = ways(graph, gates(graph)[0]).open
        products = [op for op in inside if isinstance(op, FullyConnected)]
        gated[unseen] = sum(graph.tensors[op.weights].size for op in products)
        assert sum(isinstance(op, CircularBuffer) for op in inside) == 2 * (unseen == "skipped")
    assert gated["skipped"] - gated["written"] == 2 * WIDTH**2
