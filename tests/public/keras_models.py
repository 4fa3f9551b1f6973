"""Writes the models of `keras_layers` and `keras_networks` as int8 `.tflite` files.

`python -m tests.public.keras_models FOLDER [NAME...]`, with TensorFlow 2.21, which is no dependency
of the project: in an environment of its own (`pip install tensorflow==2.21.*`). Weights are random
and seeded by the model's name. A conversion that crashes costs that model alone.
"""

import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from tests.public.keras_networks import MODELS

SAMPLES = 40
NAMES = ("a", "b", "c")
"""Of inputs."""
WORKER = "KERAS_MODELS_WORKER"
# Models that are written in other forms, too: by the name of the form.
FORMS = {
    "dynamic": ("dense_relu", "ds_cnn", "residual", "lstm_last", "flatten_odd", "transformer"),
    "float_io": ("dense_softmax", "ds_cnn", "lstm", "two_outputs"),
    "uint8_io": ("dense_softmax", "residual"),
    "per_tensor": ("dense_relu", "ds_cnn", "inverted_residual", "conv_transpose"),
}


def build(name: str, batch: int | None) -> keras.Model:
    """A model with random weights."""
    recipe = MODELS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = "int32" if recipe.indices else "float32"
    inputs = [
        keras.Input(shape, batch_size=batch, dtype=kind, name=each)
        for each, shape in zip(NAMES, recipe.shapes, strict=False)
    ]
    model = keras.Model(inputs, recipe.build(*inputs), name=name)
    for variable in model.weights:
        variable.assign(_weights(variable, rng))
    return model


def _weights(variable: Any, rng: np.random.Generator) -> np.ndarray:
    shape = tuple(variable.shape)
    if "variance" in variable.path or "gamma" in variable.path:
        return rng.uniform(0.4, 1.6, shape)
    if len(shape) < 2:
        return rng.normal(scale=0.2, size=shape)
    return rng.normal(scale=1.2 / np.sqrt(max(np.prod(shape[:-1]), 1)), size=shape)


def samples(name: str) -> Iterator[dict[str, np.ndarray]]:
    """What the converter measures ranges on."""
    recipe = MODELS[name]
    rng = np.random.default_rng(7)
    for _ in range(SAMPLES):
        given = {}
        for each, shape in zip(NAMES, recipe.shapes, strict=False):
            if recipe.indices:
                given[each] = rng.integers(0, recipe.indices, (1, *shape)).astype(np.int32)
            else:
                given[each] = rng.standard_normal((1, *shape)).astype(np.float32)
        yield given


def convert(name: str, form: str) -> bytes:
    """A model as a full-integer flatbuffer, in a form of FORMS or "" for the plain one."""
    model = build(name, None if form == "dynamic" else 1)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = lambda: samples(name)
    border = {"float_io": tf.float32, "uint8_io": tf.uint8}.get(form, tf.int8)
    if not MODELS[name].indices:
        converter.inference_input_type = border
    if all("float" in output.dtype for output in model.outputs):
        converter.inference_output_type = border
    converter._experimental_disable_per_channel = form == "per_tensor"
    return converter.convert()


def jobs(names: list[str]) -> Iterator[tuple[str, str]]:
    """Models and their forms."""
    for name in names or list(MODELS):
        yield name, ""
        yield from ((name, form) for form, users in FORMS.items() if name in users)


def work(folder: Path, names: list[str]) -> None:
    """Convert what is not there yet. A mark of what was begun outlives a crash."""
    for name, form in jobs(names):
        path = folder / f"{name}{'_' if form else ''}{form}.tflite"
        begun = path.with_suffix(".begun")
        if path.exists() or begun.exists():
            continue
        begun.touch()
        try:
            path.write_bytes(convert(name, form))
            begun.unlink()
            print(f"{path.stem}: {path.stat().st_size} bytes", flush=True)
        except Exception as error:
            said = " ".join(str(error).split())[-300:]
            print(f"{path.stem}: FAILED: {type(error).__name__}: {said}", flush=True)


def main() -> None:
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    if WORKER in os.environ:
        work(folder, names)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for begun in folder.glob("*.begun"):
        begun.unlink()
    command = [sys.executable, "-m", "tests.public.keras_models", str(folder), *names]
    while status := subprocess.run(
        command, env={**os.environ, WORKER: "1"}, check=False
    ).returncode:
        print(f"CRASHED with {status}; what was begun is left out", flush=True)
    left = sorted(begun.stem for begun in folder.glob("*.begun"))
    print(f"{len(list(folder.glob('*.tflite')))} models; failed: {', '.join(left) or 'none'}")


if __name__ == "__main__":
    main()
