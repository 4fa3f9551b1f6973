"""Images in which so many gates are open: as those whose conditions say so."""

import numpy as np
import pytest

from compiler import compile_model
from npu.analysis.gates import ALWAYS, NEVER, gates_of, with_open
from npu.analysis.latency import ideals_of, latency_of
from npu.chip.params import load_params
from npu.errors import InputError
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession
from tests.compiler.frontends.workloads.blocks import block, gated_blocks, model_of_block
from tests.compiler.lowering.test_lowered_gates import STEPS, WIDTH, layers


@pytest.fixture(scope="module")
def image():
    return compile_model(model_of_block(layers(1)), load_params("edge"))


def test_gates_are_found_with_their_thresholds(image):
    found = gates_of(image)
    assert [(gate.layer.operator, gate.threshold) for gate in found] == [
        ("gate 1", 10),
        ("gate 2", 10),
    ]
    assert gates_of(compile_model(model_of_block(block(lambda b, x: x)), load_params("tiny"))) == []


def test_an_image_with_so_many_open_runs_as_one_whose_conditions_say_so(image):
    rng = np.random.default_rng(1)
    heard = rng.integers(-128, 128, (1, STEPS, WIDTH)).astype(np.int8)
    for count, said in ((0, [0, 0]), (1, [0, 10]), (2, [10, 10])):
        moved = Image.from_bytes(with_open(image, count).to_bytes())
        assert [gate.threshold for gate in gates_of(moved)] == [
            ALWAYS if each else NEVER for each in said
        ]
        answers = []
        for one, conditions in ((image, said), (moved, [10, 0]), (moved, [-128, 127])):
            session = GraphSession(one)
            call = [heard, np.array(conditions, np.int8).reshape(1, 1, 2)]
            answers.append((session.invoke(call)[0].tobytes(), session.cycles))
        assert answers[0] == answers[1] == answers[2]


def test_what_is_refused(image):
    with pytest.raises(InputError, match="block has 2 gates: 0 to 2 can be open, not 3"):
        with_open(image, 3)
    with pytest.raises(InputError, match="0 to 2 can be open, not -1"):
        with_open(image, -1)
    none = compile_model(model_of_block(block(lambda b, x: b.linear(x, 4))), load_params("tiny"))
    with pytest.raises(InputError, match="block has no gates: leave out how many are open"):
        with_open(none, 0)


@pytest.mark.parametrize("unseen", ["written", "skipped"])
def test_ideals_are_of_what_ran(unseen):
    model = model_of_block(gated_blocks(2, unseen))
    image = compile_model(model, load_params("edge"))
    ideals = ideals_of(model.graphs, image.params)
    found = [latency_of(with_open(image, count), ideals, frames=2) for count in range(3)]
    for fewer, more in ((0, 1), (1, 2)):
        assert found[fewer].total.ideal_cycles < found[more].total.ideal_cycles
        assert found[fewer].total.cycles < found[more].total.cycles
    whole = sum(ideals["main"].operators.values()) + ideals["main"].border
    assert found[2].total.ideal_cycles == pytest.approx(whole)
    assert all(each.total.ideal_cycles < each.total.cycles for each in found)
