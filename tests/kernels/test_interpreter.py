"""Calling an interpreter: states and checks."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import InputError

VECTORS = Path(__file__).parent.parent / "vectors" / "tflite"


def test_states_persist_and_reset():
    interpreter = Interpreter(read_tflite(VECTORS / "predictor.tflite"))
    token = np.full((1, 1), 3, np.int32)
    first = interpreter.invoke([token])[0]
    assert not np.array_equal(interpreter.invoke([token])[0], first)
    interpreter.reset()
    np.testing.assert_array_equal(interpreter.invoke([token])[0], first)


def test_outputs_are_the_callers():
    interpreter = Interpreter(read_tflite(VECTORS / "fc_relu.tflite"))
    x = np.zeros((1, 64), np.int8)
    (output,) = interpreter.invoke([x])
    kept = output.copy()
    output.fill(0)
    np.testing.assert_array_equal(interpreter.invoke([x])[0], kept)
    np.testing.assert_array_equal(interpreter.tensor(interpreter.graph.outputs[0]), kept)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "fc_relu.tflite takes 1 inputs, not 0"),
        ([np.zeros((1, 63), np.int8)], r"input 0 of .* must be int8 \[1, 64\], not int8 \[1, 63\]"),
        ([np.zeros((1, 64), np.float32)], "not float32"),
    ],
)
def test_wrong_inputs(inputs, message):
    interpreter = Interpreter(read_tflite(VECTORS / "fc_relu.tflite"))
    with pytest.raises(InputError, match=message):
        interpreter.invoke(inputs)


@pytest.mark.parametrize("index", [-1, 40, 2**31 - 1])
def test_index_outside_of_its_table(index):
    interpreter = Interpreter(read_tflite(VECTORS / "predictor.tflite"))
    with pytest.raises(InputError, match=f"an index must be 0 to 39, not {index}"):
        interpreter.invoke([np.full((1, 1), index, np.int32)])
