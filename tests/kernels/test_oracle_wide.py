"""Elements of int16 on kernels and twin beside TensorFlow Lite Micro, live."""

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from tests.live import side_by_side
from tests.on_the_twin import chip
from tests.tflite_builder import ModelSpec, write
from tests.tflite_wide import UNIT, WIDE

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)

MODELS = 8
EVERY = np.arange(-32768, 32768).astype(np.int16)
SCALES = (2.0**-14, 2.0**-12, 2.0**-11, 2.0**-11 * 1.0006, 2.0**-12 * 1.002, 0.00037, 0.01, 2.6)


def both(path, spec, *inputs):
    """What kernels and TFLM give."""
    path.write_bytes(write(spec))
    oracle = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 21)
    for position, x in enumerate(inputs):
        oracle.set_input(x, position)
    oracle.invoke()
    return Interpreter(read_tflite(path)).invoke(list(inputs))[0], oracle.get_output(0)


@pytest.mark.parametrize("kind", WIDE)
def test_random_models(tmp_path, kind):
    for number in range(MODELS):
        rng = np.random.default_rng([16, number, *kind.encode()])
        verdict = side_by_side(WIDE[kind](rng), chip(), rng, tmp_path / "m.tflite")
        assert verdict.elements > 0 and verdict.equal, (number, verdict.text())


@pytest.mark.parametrize("kind", ["TANH", "LOGISTIC"])
@pytest.mark.parametrize("scale", SCALES)
def test_functions_of_every_int16(tmp_path, kind, scale):
    m = ModelSpec()
    x = m.tensor(EVERY.shape, "int16", np.float32(scale))
    y = m.tensor(EVERY.shape, "int16", UNIT)
    m.operator(kind, [x], [y])
    m.inputs, m.outputs = [x], [y]
    ours, wanted = both(tmp_path / "m.tflite", m, EVERY)
    np.testing.assert_array_equal(ours, wanted)
    assert len(np.unique(wanted)) > (5 if scale > 1 else 100)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("scale", [2.0**-12, 0.00013])
def test_ends_of_the_range(tmp_path, kind, scale):
    ends = np.array([-32768, -32767, -16384, -1, 0, 1, 16384, 32766, 32767], np.int16)
    a, b = (each.astype(np.int16) for each in np.meshgrid(ends, ends))
    m = ModelSpec()
    tensors = [m.tensor(a.shape, "int16", np.float32(scale)) for _ in range(3)]
    m.operator(kind, tensors[:2], tensors[2:], (f"{kind.title()}Options", {}))
    m.inputs, m.outputs = tensors[:2], tensors[2:]
    ours, wanted = both(tmp_path / "m.tflite", m, a, b)
    np.testing.assert_array_equal(ours, wanted)
    whole = a.astype(int) + b if kind == "ADD" else a.astype(int) - b
    if kind != "MUL":
        np.testing.assert_array_equal(wanted, np.clip(whole, -32768, 32767))
