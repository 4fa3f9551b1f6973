"""Models that others trained, and small networks of Keras: equal to what was recorded of TFLM."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter

FOLDER = Path(__file__).parent.parent / "vectors" / "public"
NAMES = sorted(path.stem for path in FOLDER.glob("*.tflite"))


def test_models_are_there():
    assert {"alexa", "okay_nabu", "ds_cnn_dynamic", "transformer"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_public_model(name):
    interpreter = Interpreter(read_tflite(FOLDER / f"{name}.tflite"))
    with np.load(FOLDER / f"{name}.npz") as recorded:
        inputs, outputs = (
            [recorded[key] for key in sorted(recorded) if key.startswith(kind)]
            for kind in ("input", "output")
        )
    assert len(inputs[0]) >= 10
    for call in range(len(inputs[0])):
        found = interpreter.invoke([array[call] for array in inputs])
        assert len(found) == len(outputs)
        for ours, theirs in zip(found, outputs, strict=True):
            np.testing.assert_array_equal(ours, theirs[call], strict=True)
