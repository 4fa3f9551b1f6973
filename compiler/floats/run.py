"""Calls of a float graph by onnxruntime, one behind the other with states carried."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from compiler.floats.files import runtime
from compiler.floats.graph import Array, FloatGraph
from compiler.floats.samples import Samples
from compiler.floats.seen import Seen
from compiler.floats.write import to_onnx
from npu.errors import ModelError

MAX_CALLS = 4096
"""Calls that a calibration hears at most; a longer file is thinned from its end."""


def run(
    graph: FloatGraph, samples: Samples, wanted: Sequence[str] = ()
) -> Iterator[dict[str, Array]]:
    """The outputs of each call, and the values `wanted`.

    Raises ModelError with what onnxruntime said, and for a value that is not finite.
    """
    ort = runtime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    # Pairs of QuantizeLinear and DequantizeLinear stay floats: integer kernels saturate on CPUs
    # without a dot product of bytes.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    model = to_onnx(graph, wanted)
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors have no common class
        raise ModelError(f"{graph.name}: {str(error).splitlines()[0]:.300}") from error
    names = [each.name for each in session.get_outputs()]
    carried = {state.current: state.initial for state in graph.states}
    shapes = {name: graph.shapes[name] for name in graph.inputs}
    takes = {each.name for each in session.get_inputs()}
    for inputs in samples.calls(shapes):
        feeds = {
            name: value.astype(np.int64 if name in graph.integers else np.float32)
            for name, value in (inputs | carried).items()
            if name in takes
        }
        try:
            found = dict(zip(names, session.run(names, feeds), strict=True))
        except Exception as error:  # as above; an index beyond a table, for one
            raise ModelError(f"{graph.name}: {str(error).splitlines()[0]:.300}") from error
        known = inputs | carried | found
        yield {name: known[name] for name in (*graph.outputs, *wanted) if name in known}
        carried = {state.current: known[state.following] for state in graph.states}


def moments(graph: FloatGraph, samples: Samples, names: Sequence[str]) -> dict[str, Array]:
    """Of each value the mean of x x' over all its rows, (width, width) float64.

    Rows lie along the last axis.
    """
    wanted = list(dict.fromkeys(names))
    sums = {name: np.zeros((graph.shapes[name][-1],) * 2) for name in wanted}
    rows = dict.fromkeys(wanted, 0)
    for values in run(graph, samples, wanted):
        for name in wanted:
            flat = values[name].reshape(-1, graph.shapes[name][-1]).astype(np.float64)
            sums[name] += flat.T @ flat
            rows[name] += len(flat)
    return {name: sums[name] / rows[name] for name in wanted}


def largest(graph: FloatGraph, samples: Samples, axes: Mapping[str, int]) -> dict[str, Array]:
    """By value the largest magnitude of each of its channels, (channels,) float64.

    axes : by value, along which its channels lie
    """
    most = {name: np.zeros(graph.shapes[name][axis]) for name, axis in axes.items()}
    for values in run(graph, samples, list(axes)):
        for name, axis in axes.items():
            rows = np.moveaxis(values[name], axis, 0).reshape(len(most[name]), -1)
            most[name] = np.maximum(most[name], np.max(np.abs(rows), axis=1))
    return most


def agree(wanted: Array, found: Array, share: float) -> bool:
    """Whether values differ by no more than this share of the largest; what is not finite alike."""
    finite = np.abs(wanted[np.isfinite(wanted)])
    largest = max(float(np.max(finite, initial=0.0)), 1e-3)
    return bool(np.allclose(found, wanted, rtol=0, atol=share * largest, equal_nan=True))


_MOVES = frozenset({"Reshape", "Transpose"})
"""Kinds whose output has the values of their input."""


def observe(graph: FloatGraph, samples: Samples) -> dict[str, Seen]:
    """What every value that is a real number was, over all calls.

    Raises ModelError for a value that is not finite.
    """
    alike = {node.output: node.inputs[0] for node in graph.nodes if node.kind in _MOVES}
    given = [name for node in graph.nodes for name in node.outputs if name]
    wanted = [*graph.inputs, *(state.current for state in graph.states), *given]
    wanted = [name for name in wanted if name not in graph.integers and name not in alike]
    seen = {name: Seen() for name in wanted}
    for values in run(graph, samples, wanted):
        for name in wanted:
            value = values[name]
            if not seen[name].widen(value):
                raise ModelError(
                    f"{graph.name}: value {name!r} becomes {value[~np.isfinite(value)][0]} on "
                    f"{samples.place}; there is no range to quantise"
                )
    for values in run(graph, samples, wanted):
        for name in wanted:
            seen[name].count(values[name])
    for name, source in alike.items():
        if source in seen:
            seen[name] = seen[source]
    return seen
