"""A `.tflite` file: integers as they stand in it, floats quantised on the data beside it."""

from pathlib import Path

from compiler.frontends.forms import computes_in_floats
from compiler.frontends.tflite.read import read_tflite
from compiler.frontends.tflite.signatures import chosen
from compiler.frontends.tflite.source import Source
from npu.errors import NpuError, UnsupportedError
from npu.model.graph import Graph


def read_either(path: str | Path, signature: str | None = None) -> Graph:
    """Read a model of TFLite; a float one is calibrated on `MODEL.npz` beside `MODEL.tflite`.

    Raises ModelError and UnsupportedError as `read_tflite` where it is quantised, or no data lies
    beside it, and as `compiler.frontends.onnx.quantised.read_float`.
    """
    path = Path(path)
    try:
        return read_tflite(path, signature)
    except UnsupportedError:
        if not path.with_suffix(".npz").exists() or not is_float(path, signature):
            raise
    # What a quantised model does not need.
    from compiler.frontends.onnx.quantised import quantised_model, read_float
    from compiler.frontends.onnx.read import samples_beside

    source = read_float(path, samples_beside(path), signature=signature)
    return quantised_model(source).graph


def is_float(path: str | Path, signature: str | None = None) -> bool:
    """Whether a file holds a model that computes in floats, whatever its weights are stored as.

    False for what is no model of TFLite, or has no such signature.
    """

    def found() -> bool:
        source.turn_to(chosen(source, source.open(), signature))
        return computes_in_floats(source.model, source.subgraph)

    try:
        source = Source(Path(path))
        return source.guarded(found)
    except NpuError:
        return False
