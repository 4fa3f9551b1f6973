"""What a function of one value gives at some points: by onnxruntime, in float64 where it can.

Differences of close numbers lose digits in float32, as a variance does that is a mean of squares
less a square. A table has none of that: it is worked out once, and rounded to int8 in the end.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from compiler.floats.files import runtime
from compiler.floats.graph import Array, FloatGraph, Node
from compiler.floats.rewrite.functions import CONDITIONS
from compiler.floats.write import to_onnx
from npu.errors import ModelError

_JUMPS = CONDITIONS | {"Ceil", "Floor", "Round", "Sign", "ThresholdedRelu"}
"""Kinds by which a little more or less is another answer."""


def function_of(node: Node, points: Array, within: Sequence[str] = ()) -> dict[str, Array]:
    """What a node of one value gives at some points, (n,) float32; not all need be finite.

    float64, but rounded to float32 where onnxruntime computes in that: parts that it has in
    float32 only, and functions that jump at a computed value, where a model's own rounding decides
    on which side it is.

    within : values between its parts that are wanted, too

    Raises ModelError with what onnxruntime said.
    """
    parts: tuple[Node, ...] = node.get("parts")
    constants: Mapping[str, Array] = node.get("constants")
    (source,), outputs = node.inputs, (node.output, *within)
    shapes = dict.fromkeys((source, *(part.output for part in parts)), points.shape)
    shapes |= dict.fromkeys(constants, ())
    graph = FloatGraph(node.name, parts, constants, (source,), outputs, (), shapes)
    found = None
    if not _jumps(node):
        try:
            found = _evaluated(graph, points.astype(np.float64))
        except ModelError:
            # An onnxruntime that has less in float64 than the one of today.
            found = None
    if found is None:
        found = _evaluated(graph, points.astype(np.float32))
    return {name: np.asarray(found[name], np.float64) for name in outputs}


def _jumps(node: Node) -> bool:
    """Whether rounding before one of its parts may change its answer by more than rounding."""
    given = {*node.inputs, *node.get("constants")}
    return any(
        part.kind in _JUMPS and not given.issuperset(part.inputs) for part in node.get("parts")
    )


def _evaluated(graph: FloatGraph, points: Array) -> dict[str, Array]:
    """All outputs, in the precision of the points. Raises ModelError with what onnxruntime said."""
    ort = runtime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    model = to_onnx(graph, real=points.dtype)
    (source,) = graph.inputs
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [each.name for each in session.get_outputs()]
        found = session.run(names, {source: points})
    except Exception as error:  # onnxruntime's errors have no common class
        raise ModelError(f"{graph.name}: {str(error).splitlines()[0]:.300}") from error
    return {source: points, **dict(zip(names, found, strict=True))}
