"""IF of a file: what is refused, hostile files too."""

import numpy as np
import pytest

from compiler.frontends import read_tflite
from npu.errors import ModelError, NpuError, UnsupportedError
from tests.tflite_branches import WIDTH, adds, chosen, row
from tests.tflite_builder import ModelSpec, write


def read(tmp_path, spec: ModelSpec):
    path = tmp_path / "m.tflite"
    path.write_bytes(write(spec))
    return read_tflite(path)


def spoiled(change) -> ModelSpec:
    m = chosen()
    change(m)
    return m


def set_graphs(m: ModelSpec, then: int, otherwise: int) -> None:
    m.operators[-1].options = (
        "IfOptions",
        {"ThenSubgraphIndex": then, "ElseSubgraphIndex": otherwise},
    )


def itself(m: ModelSpec) -> None:
    """Subgraph 1 holds an IF of subgraph 1."""
    inner = chosen()
    inner.others = []
    m.others[0] = inner
    m.operators[-1].inputs.append(m.inputs[1])
    m.others[1].tensors.append(m.tensors[m.inputs[1]])
    m.others[1].inputs.append(3)


def twofold(m: ModelSpec) -> None:
    """Forty subgraphs that each run the next one twice: 2^40 in all."""
    m.others = []
    for number in range(1, 16):
        inner = chosen()
        inner.others = []
        inner.operators[-1].inputs.append(1)
        set_graphs(inner, number + 1, number + 1)
        m.others.append(inner)
    last = adds(1)
    last.tensor((1, 1), scale=np.float32(0.01), zero_point=-7)
    last.inputs.append(3)
    m.others.append(last)
    m.operators[-1].inputs.append(1)
    set_graphs(m, 1, 1)


def otherwise_quantised(m: ModelSpec) -> None:
    m.others[0].tensors[0].scale = np.float32(0.3)


def remembers(m: ModelSpec) -> None:
    """Both ways run a graph with a ring."""
    ring = ModelSpec()
    x, y = row(ring), row(ring)
    frame = ring.tensor((1, 1, 1, WIDTH), scale=np.float32(0.05), zero_point=3)
    held = ring.tensor((1, 5, 1, WIDTH), scale=np.float32(0.05), zero_point=3, is_variable=True)
    shape = ring.tensor((4,), "int32", data=np.array([1, 1, 1, WIDTH], np.int32))
    ring.operator("RESHAPE", [x, shape], [frame])
    ring.operator("CIRCULAR_BUFFER", [frame], [held])
    ring.operator("RELU", [x], [y])
    ring.inputs, ring.outputs = [x], [y]
    m.others = [ring, adds(1)]
    set_graphs(m, 1, 1)


REFUSED = {
    "missing": (lambda m: set_graphs(m, 1, 7), "there is no subgraph 7 to run"),
    "negative": (lambda m: set_graphs(m, -3, 1), "there is no subgraph -3 to run"),
    "main": (lambda m: set_graphs(m, 0, 1), "subgraph 0 would run inside of itself"),
    "itself": (itself, "subgraph 1 would run inside of itself"),
    "no options": (
        lambda m: setattr(m.operators[-1], "options", None),
        "there is no subgraph -1 to run",
    ),
    "too many": (twofold, "its IFs run more than 1024 graphs, or are more than 16 deep"),
    "inputs": (
        lambda m: m.operators[-1].inputs.append(1),
        r"operator 1 \(IF\): subgraph 1: it must have 2 inputs, not 1",
    ),
    "outputs": (
        lambda m: m.others[1].outputs.append(2),
        r"operator 1 \(IF\): subgraph 2: it must have 1 outputs, not 2",
    ),
    "shape": (
        lambda m: setattr(m.others[0].tensors[0], "shape", (1, 3)),
        r"it takes INT8 \[1, 3\], where the IF has INT8 \[1, 6\]",
    ),
    "constant input": (
        lambda m: setattr(m.others[0], "inputs", [2]),
        "its input 2 must be an input, and one only",
    ),
    "grids": (otherwise_quantised, "what it takes is quantised otherwise than the IF has it"),
    "remembers": (remembers, "subgraph 1 has operators that remember"),
    "two integers": (
        lambda m: setattr(m.operators[0], "inputs", [1, 1]),
        "one int8 element is compared with one that is constant",
    ),
    "several": (
        lambda m: setattr(m.operators[0], "inputs", [0, 3]),
        "one int8 element is compared with one that is constant",
    ),
    "scale": (
        lambda m: setattr(m.tensors[1], "scale", np.float32(1.0)),
        "both have one scale, below 1",
    ),
    "bool as output": (
        lambda m: m.outputs.append(m.operators[0].outputs[0]),
        "its answer is the condition of an IF, and nothing else reads it",
    ),
    "bool input": (
        lambda m: (m.operators.pop(0), m.inputs.append(4)),
        "its condition is constant, or compares one int8 with a constant",
    ),
    "once inside": (
        lambda m: m.others[0].operator(
            "CALL_ONCE", [], [], ("CallOnceOptions", {"InitSubgraphIndex": 2})
        ),
        "it stands before all that reads or assigns a variable",
    ),
    "while": (
        lambda m: m.operator("WHILE", [0], [], ("WhileOptions", {})),
        "WHILE is not supported: how often it runs is not known; unroll loops",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path, name):
    change, message = REFUSED[name]
    with pytest.raises(NpuError, match=message) as caught:
        read(tmp_path, spoiled(change))
    assert isinstance(caught.value, ModelError | UnsupportedError)
    assert str(caught.value).startswith("m.tflite: ")
