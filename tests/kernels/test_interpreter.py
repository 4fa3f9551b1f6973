"""Calling an interpreter: states, checks, and that matrices agree with the slow oracle."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.frontends import read_tflite
from kernels import Interpreter
from kernels.engines.dense import DenseMatrix
from kernels.engines.sparse import SPARSE_BELOW, SparseMatrix, prepare_matrix
from kernels.table import look_up
from npu.errors import InputError
from npu.model.operators.product import MatVecParams
from tests import naive

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


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_both_matrix_forms_against_the_slow_oracle(seed):
    rng = np.random.default_rng(seed)
    rows, columns, vectors = rng.integers(1, 12, 3)
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    weights[rng.random(weights.shape) < rng.random()] = 0
    bias = rng.integers(-(2**31), 2**31, rows).astype(np.int32)
    params = MatVecParams(
        rng.integers(2**30, 2**31, rows).astype(np.int32),
        rng.integers(-31, 3, rows).astype(np.int32),
        int(rng.integers(-128, 128)),
        int(rng.integers(-128, 128)),
        -128,
        int(rng.integers(-100, 128)),
    )
    x = rng.integers(-128, 128, (vectors, columns)).astype(np.int8)
    expected = [
        naive.fully_connected(
            row.tolist(),
            weights.tolist(),
            bias.tolist(),
            params.multipliers.tolist(),
            params.shifts.tolist(),
            params.input_zero_point,
            params.output_zero_point,
            params.lo,
            params.hi,
        )
        for row in x
    ]
    for form in (DenseMatrix, SparseMatrix):
        output = np.empty((vectors, rows), np.int8)
        form(weights, bias, params).multiply(x, output)
        np.testing.assert_array_equal(output, expected)


def test_form_follows_density():
    params = MatVecParams(np.full(100, 1 << 30, np.int32), np.zeros(100, np.int32), 0, 0, -128, 127)
    weights = np.zeros((100, 100), np.int8)
    assert isinstance(prepare_matrix(weights, None, params), SparseMatrix)
    weights[: round(100 * SPARSE_BELOW) + 1] = 1
    assert isinstance(prepare_matrix(weights, None, params), DenseMatrix)


def test_look_up_of_every_int8():
    table = np.random.default_rng(0).integers(-128, 128, 256).astype(np.int8)
    source = np.arange(-128, 128, dtype=np.int8)
    output = np.empty_like(source)
    look_up(table, source, output)
    np.testing.assert_array_equal(output, table)
