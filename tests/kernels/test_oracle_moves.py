"""Live comparison with TensorFlow Lite Micro: operators that only move elements."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from tests.tflite_builder import ModelSpec, write
from tests.tflite_moves import MOVES, PICKS

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)

CASES = 10
ABORTED = 15
ARENA = 1 << 20


def values_of(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Any bits of a type, but for real numbers none that is not a number."""
    if dtype == "float32":
        return rng.normal(0, 10, shape).astype(np.float32)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    return rng.integers(low, high, shape, dtype, endpoint=True)


def assert_equal_to_oracle(
    path: Path, spec: ModelSpec, rng: np.random.Generator, calls: int = 4
) -> None:
    path.write_bytes(write(spec))
    ours = Interpreter(read_tflite(path))
    oracle = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=ARENA)
    for _ in range(calls):
        inputs = []
        for position, index in enumerate(spec.inputs):
            tensor = spec.tensors[index]
            inputs.append(values_of(rng, tensor.dtype, tensor.shape))
            if tensor.limit is not None:
                inputs[-1] = rng.integers(0, tensor.limit, tensor.shape, np.int32)
            oracle.set_input(inputs[-1], position)
        answers = ours.invoke(inputs)
        # A CIRCULAR_BUFFER may end a call; what its outputs hold then is nothing.
        if oracle.invoke() == ABORTED:
            continue
        for position, output in enumerate(answers):
            desired = oracle.get_output(position)
            if spec.operators[0].kind == "SPACE_TO_BATCH_ND":
                border = ours.invoke([np.ones_like(inputs[0])])[0] == 0
                assert_filled_by_one_byte(desired[border])
                output, desired = output[~border], desired[~border]
            np.testing.assert_array_equal(output, desired)


def assert_filled_by_one_byte(border: np.ndarray) -> None:
    """The oracle never says which one: it is what its memory held, mostly and with us 0."""
    assert len(set(border.tobytes())) <= 1


@pytest.mark.parametrize("kind", [*MOVES, *PICKS])
def test_moves(tmp_path, kind):
    rng = np.random.default_rng(sum(kind.encode()))
    for _ in range(CASES):
        assert_equal_to_oracle(tmp_path / "m.tflite", (MOVES | PICKS)[kind](rng), rng)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_real_numbers_that_lie_between_two_integers(tmp_path, dtype):
    spec = ModelSpec()
    x = spec.tensor((2001,), "float32")
    y = spec.tensor((2001,), dtype, np.float32(0.25), 3 if dtype == "int8" else 0)
    spec.operator("QUANTIZE", [x], [y], ("QuantizeOptions", {}))
    spec.inputs, spec.outputs = [x], [y]
    path = tmp_path / "m.tflite"
    path.write_bytes(write(spec))
    halves = np.float32(0.125) * np.arange(-1000, 1001, dtype=np.float32)
    oracle = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=ARENA)
    for values in (halves, np.nextafter(halves, np.float32(0)), halves * np.float32(1e6)):
        oracle.set_input(values, 0)
        oracle.invoke()
        (found,) = Interpreter(read_tflite(path)).invoke([values])
        np.testing.assert_array_equal(found, oracle.get_output(0))
