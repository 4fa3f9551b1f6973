"""Whole models as events: random graphs and transducers on random chips, and layers on the RTL."""

import numpy as np
import pytest

from compiler import Model, compile_model, load_model
from npu.analysis.frames import recorded_frames
from npu.chip.params import load_params
from npu.errors import CapacityError, ModelError, UnsupportedError
from npu.events.machine import events_of
from npu.events.trace import Start
from npu.runtime.calls import call, calls_of, open_session
from npu.runtime.header import BOOT
from tests.npu.events.beside import of_image
from tests.random_graphs import random_chip, random_graph, random_schedule
from tests.random_transducers import random_transducer

GRAPHS, TRANSDUCERS = 25, 8


def compiled(rng, model):
    """The image for a random chip with room for the model, None for one that no chip takes."""
    seed = rng.integers(2**32)
    for room in range(5):
        try:
            return compile_model(model, random_chip(np.random.default_rng(seed), room))
        except CapacityError:
            continue
        except (ModelError, UnsupportedError):
            return None
    raise AssertionError("no chip is large enough")


def test_random_graphs():
    ran = streamed = 0
    for seed in range(GRAPHS):
        rng = np.random.default_rng(seed)
        image = compiled(rng, Model("random", {"main": random_graph(rng)}, None, None, {}))
        if image is None:
            continue
        inputs = calls_of(image, limit=3)
        for schedule in (None, random_schedule(rng)):
            assert of_image(image, inputs, schedule) is None, seed
        ran += 1
        streamed += not all(layer.resident for layer in image.header.layers)
    assert ran > GRAPHS / 2 and streamed


@pytest.mark.parametrize("seed", range(TRANSDUCERS))
def test_random_transducers(seed):
    rng = np.random.default_rng(seed)
    image = compiled(rng, random_transducer(rng))
    assert image is not None
    assert of_image(image, calls_of(image, limit=6)) is None


def test_the_gates_say_the_same(small_chip, vectors):
    """Every command's cycles in Verilator."""
    from rtl.sim.machine import RtlMachine

    image = compile_model(load_model(vectors / "fc_relu.tflite"), load_params(str(small_chip)))
    inputs = calls_of(image, limit=3)
    told = []

    def observe(retire, machine):
        told.append((retire.pc, retire.name, retire.start, retire.end))

    session = open_session(image, machine=RtlMachine, observer=observe)
    for each in inputs:
        call(session, each)
    session.machine.close()
    machine = events_of(image, keep=True)
    reset, frames = recorded_frames(image, inputs)
    for start in [
        Start(image.header.entry(BOOT).pc),
        *reset,
        *(start for frame in frames for start in frame),
    ]:
        machine.run(start)
    assert [(c.pc, c.name, c.start, c.end) for c in machine.commands()] == told
