"""Layers with states on the chip: long sequences are loops, whatever their weights do."""

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.lowering import dots
from compiler.lowering.recurrent import UNROLLED_STEPS
from npu.errors import CapacityError
from npu.runtime.sessions import GraphSession
from tests.conftest import ROOT
from tests.on_the_twin import chip, differences
from tests.tflite_builder import ModelSpec, write


def lstm(
    steps: int, batch: int = 1, time_major: bool = False, units: int = 20, zero: int = 0
) -> bytes:
    """An LSTM over so many steps of 13 features."""
    rng, m, features = np.random.default_rng(steps), ModelSpec(), 13
    around = (steps, batch) if time_major else (batch, steps)
    x = m.tensor((*around, features), scale=np.float32(0.02), zero_point=-7)

    def gates(columns: int) -> list[int]:
        data = rng.integers(-127, 128, (4, units, columns)).astype(np.int8)
        return [m.tensor((units, columns), "int8", np.float32(0.01), zero, w) for w in data]

    matrices = [*gates(features), *gates(units)]
    added = rng.integers(-900, 900, (4, units)).astype(np.int32)
    biases = [m.tensor((units,), "int32", np.float32(2e-4), data=b) for b in added]
    hidden = np.float32(1 / 128)
    h = m.tensor((batch, units), scale=hidden, zero_point=5, is_variable=True)
    c = m.tensor((batch, units), "int16", np.float32(2**-11), is_variable=True)
    y = m.tensor((*around, units), scale=hidden, zero_point=5)
    inputs = [x, *matrices, -1, -1, -1, *biases, -1, -1, h, c, -1, -1, -1, -1]
    options = {"FusedActivationFunction": 4, "TimeMajor": time_major}
    m.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], ("UnidirectionalSequenceLSTMOptions", options)
    )
    m.inputs, m.outputs = [x], [y]
    return write(m)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "form", [{}, {"batch": 2}, {"batch": 3, "time_major": True}, {"units": 16}, {"zero": -9}]
)
def test_long_sequences(tmp_path, form, streamed):
    """Weights that stay, and weights that stream within the loop; states live on over calls."""
    path = tmp_path / "lstm.tflite"
    path.write_bytes(lstm(UNROLLED_STEPS + 3, **form))
    params = chip(**({"bank_bytes": 512} if streamed else {}))
    layers = compile_model(load_model(path), params).header.layers
    # What is small stays where it can.
    assert any(not layer.resident for layer in layers) == streamed
    assert differences(path, np.random.default_rng(1), params) == 0


def differs_from_the_recorded_chain():
    """Elements that the twin answers otherwise than TFLM did."""
    path = ROOT / "tests" / "vectors" / "tflite" / "states.tflite"
    session = GraphSession(compile_model(load_model(path), chip()))
    with np.load(path.with_suffix(".npz")) as recorded:
        calls = zip(recorded["input0"], recorded["input1"], recorded["output"], strict=True)
        return sum(
            int(np.count_nonzero(session.invoke([x, weights])[0] != wanted))
            for x, weights, wanted in calls
        )


def test_the_recorded_chain():
    assert differs_from_the_recorded_chain() == 0


def test_a_wrong_half_of_a_bias_is_found(monkeypatch):
    monkeypatch.setattr(dots, "FACTORS", (1, 1, dots.FACTORS[2]))
    assert differs_from_the_recorded_chain() > 0


def test_the_inputs_weights_come_once_for_all_steps(tmp_path):
    """And the states' once a step, where neither stay."""
    path, brought = tmp_path / "lstm.tflite", []
    for steps in (2, 8):
        path.write_bytes(lstm(steps, units=64))
        session = GraphSession(compile_model(load_model(path), chip(bank_bytes=1024)))
        inputs = [np.zeros((1, steps, 13), np.int8)]
        session.invoke(inputs)
        before = session.machine.counters.bytes_read
        session.invoke(inputs)
        brought.append(session.machine.counters.bytes_read - before)
    sides = {layer.layer.part: layer for layer in session.image.header.layers}
    assert not any(side.resident for side in sides.values())
    a_step = (brought[1] - brought[0]) / 6
    # An input of 13 bytes a step, and what of the states' weights is streamed.
    assert 0 < a_step < 1.1 * sides["recurrent"].bank_bits / 8


@pytest.mark.parametrize("steps", [3, 30])
def test_short_of_sram(tmp_path, steps):
    """Where the gates of all steps find no room, they are taken in blocks, or step by step.

    With as much SRAM as is in use, nothing else comes out.
    """
    path = tmp_path / "lstm.tflite"
    path.write_bytes(lstm(steps))
    model, used, programs = load_model(path), chip().sram_bytes, []
    while True:
        try:
            image = compile_model(model, chip(sram_bytes=used))
        except CapacityError as error:
            assert "bytes of vector SRAM" in str(error)
            break
        exact = chip(sram_bytes=image.header.sram_bytes)
        assert compile_model(model, exact).program == image.program
        assert differences(path, np.random.default_rng(1), exact) == 0
        programs.append(image.program)
        used = image.header.sram_bytes - 64
    # Of three steps, a quarter is one.
    assert len(set(programs)) == (2 if steps == 3 else 3)


@pytest.mark.parametrize(("steps", "most"), [(300, 1536), (1000, 4096), (2000, 2048)])
def test_the_program_does_not_grow_with_the_steps(tmp_path, steps, most):
    """A loop for all of them, four of a quarter each, or a loop step by step."""
    path = tmp_path / "lstm.tflite"
    path.write_bytes(lstm(steps))
    assert len(compile_model(load_model(path), chip()).program) < most
