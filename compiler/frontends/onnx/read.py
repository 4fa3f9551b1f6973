"""What `load_model` does with an ONNX file: the calibration data lies beside it."""

from pathlib import Path

from compiler.floats.files import open_onnx
from compiler.floats.integers import KINDS as OF_INTEGERS
from compiler.floats.rewrite import RULES as REWRITTEN
from compiler.floats.rewrite.functions import PARTS
from compiler.floats.samples import Samples, load_samples
from compiler.frontends.formats import Verdict
from compiler.frontends.onnx.quantised import quantised_model, read_float
from compiler.quantise.quantise import RULES
from npu.errors import ModelError
from npu.model.graph import Graph


def read_onnx_model(path: str | Path) -> Graph:
    """Read, calibrate and quantise a float model.

    Raises ModelError where there is no calibration data beside it, and as `read_float`.
    """
    path = Path(path)
    return quantised_model(read_float(path, samples_beside(path))).rounding_as_onnx


def samples_beside(path: Path) -> Samples:
    """The data of `MODEL.npz` beside a model. Raises ModelError where there is none."""
    place = path.with_suffix(".npz")
    if not place.exists():
        raise ModelError(
            f"{path}: it is a float model, and its ranges are not known: calibration data must lie "
            f"beside it in {place.name}, an array (calls, ...) for each input under its name; or "
            f"quantise it first: npu quantize {path.name} --calibrate DATA.npz -o MODEL.tflite"
        )
    return load_samples(place)


def examine_onnx(path: str | Path) -> list[Verdict]:
    """Every operator of a file, and whether its kind runs here at all.

    Forms of a kind are only known once shapes are, that is by quantising. Raises ModelError as
    `open_onnx` does.
    """
    runs, found = {*RULES, *REWRITTEN, *PARTS, *OF_INTEGERS, *SETTLED}, []
    for number, node in enumerate(open_onnx(Path(path)).graph.node):
        reason = None if node.op_type in runs else "has no form in TFLM's int8 arithmetic here"
        name = f"operator {number} {node.op_type}"
        found.append(Verdict(name, ", ".join([*node.input, "->", *node.output]), reason))
    return found


SETTLED = frozenset(
    {"Constant", "ConstantOfShape", "Shape", "Size", "Range", "Equal", "Not", "And", "Or", "If"}
)
"""Kinds of which nothing is left, where they do not depend on a call's data."""
