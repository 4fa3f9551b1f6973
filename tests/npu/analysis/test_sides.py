"""Engines side by side: equal ones are called equal, a difference is told where it is."""

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.reference import Reference
from npu.analysis.sides import Machines, Sides
from npu.chip.params import load_params
from npu.runtime.calls import calls_of
from npu.twin.machine import Machine
from tests.random_transducers import random_transducer


class Stand(Machine):
    """The twin in the RTL's place."""

    @property
    def simulated_cycles(self):
        return self.cycle

    def close(self):
        pass


class Changed:
    """A reference that answers something else."""

    def __init__(self, model, change):
        self._right, self._change = Reference(model), change

    def call(self, inputs):
        outputs, vectors = self._right.call(inputs)
        return [self._change(output.copy()) for output in outputs], vectors


def flipped(output):
    output.reshape(-1)[3] ^= 1
    return output


@pytest.fixture(scope="module")
def compiled(vectors):
    model = load_model(vectors / "fc_relu.tflite")
    return model, compile_model(model, load_params("tiny"))


def verified(compiled, change):
    model, image = compiled
    sides = Sides(image, Machines(Machine, Stand), {"kernels": Changed(model, change)})
    sides.run(calls_of(image, limit=2), lambda calls: None)
    return sides.report(None)


def test_equal_sides(compiled):
    report = verified(compiled, lambda output: output)
    assert report["equal"] and report["calls"] == 2 and report["commands"] > 10
    assert report["engines"] == ["kernels", "twin", "rtl"]
    assert report["twin"]["cycles"] == report["rtl"]["cycles"] > 0


@pytest.mark.parametrize(
    ("change", "element"),
    [(flipped, 3), (lambda output: output[..., :5], 5), (lambda output: output.reshape(-1), None)],
)
def test_another_answer_is_a_difference(compiled, change, element):
    """A shape of its own is one, too."""
    report = verified(compiled, change)
    found = report["difference"]
    assert not report["equal"] and found["call"] == 0
    if element is None:
        assert found["kernels"] is found["twin"] is None and found["element"] > 5
    else:
        assert found["element"] == element and found["kernels"] != found["twin"]


class Mute:
    """A reference that shows none of its vectors, or all but one side's."""

    def __init__(self, model):
        self._right = Reference(model)

    def call(self, inputs):
        return self._right.call(inputs)[0], {}


def test_a_vector_that_only_one_side_has_is_a_difference():
    model = random_transducer(np.random.default_rng(3))
    image = compile_model(model, load_params("tiny"))

    def compared(reference):
        sides = Sides(image, Machines(Machine, Stand), {"kernels": reference})
        sides.run(calls_of(image, limit=1), lambda calls: None)
        return sides.report(None)

    right = compared(Reference(model))
    assert right["equal"] and set(right["outputs"]) == {"tokens", "encoder_out", "logits"}
    mute = compared(Mute(model))
    assert not mute["equal"] and mute["difference"]["output"] == "encoder_out"


def test_the_first_calls_are_always_the_same(compiled):
    _, image = compiled
    first, again = calls_of(image), calls_of(image, limit=4)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
