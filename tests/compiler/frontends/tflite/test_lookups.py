"""Operators that together are a table, beside TensorFlow Lite Micro."""

import numpy as np
import pytest

from compiler.frontends import examine_tflite, read_tflite
from kernels import Interpreter
from npu.errors import UnsupportedError
from npu.model.operators.gather import Gather
from npu.model.operators.retype import Requantize
from npu.model.operators.table import Lookup
from tests.tflite_builder import ModelSpec, write

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)
EVERY = np.arange(-128, 128, dtype=np.int8).reshape(4, 64)
ENTRIES = np.random.default_rng(7).integers(-128, 128, 256).astype(np.int8)


def table(entries=ENTRIES, shape=EVERY.shape, offset=128, axis=0, activation=0) -> ModelSpec:
    """CAST, ADD and GATHER, as `npu quantize` writes them."""
    m = ModelSpec()
    source = m.tensor(shape, "int8", 0.05, 3)
    wide, index = m.tensor(shape, "int32"), m.tensor(shape, "int32")
    by = m.tensor((), "int32", data=np.array(offset, np.int32))
    told = {"FusedActivationFunction": activation}
    m.operator("CAST", [source], [wide], ("CastOptions", {}))
    m.operator("ADD", [wide, by], [index], ("AddOptions", told))
    return picked(m, source, index, entries, axis)


def table_of_before(index_scale=0.05, index_zero_point=131, entries=ENTRIES) -> ModelSpec:
    """QUANTIZE and GATHER, as in files from before."""
    m = ModelSpec()
    source = m.tensor(EVERY.shape, "int8", 0.05, 3)
    index = m.tensor(EVERY.shape, "int32", index_scale, index_zero_point)
    m.operator("QUANTIZE", [source], [index])
    return picked(m, source, index, entries)


def picked(m: ModelSpec, source: int, index: int, entries, axis=0) -> ModelSpec:
    stored = m.tensor(entries.shape, "int8", 0.1, -7, data=entries)
    output = m.tensor(m.tensors[source].shape, "int8", 0.1, -7)
    m.operator("GATHER", [stored, index], [output], ("GatherOptions", {"Axis": axis}))
    m.inputs, m.outputs = [source], [output]
    return m


def read(tmp_path, model):
    """The kinds of its operators, if both it and the oracle answer alike."""
    path = tmp_path / "table.tflite"
    path.write_bytes(write(model))
    graph = read_tflite(path)
    every = np.resize(EVERY, graph.tensors[graph.inputs[0]].shape)
    oracle = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 20)
    oracle.set_input(every, 0)
    oracle.invoke()
    for at, answer in enumerate(Interpreter(graph).invoke([every])):
        np.testing.assert_array_equal(answer, oracle.get_output(at))
    assert all(verdict.reason is None for verdict in examine_tflite(path))
    return [type(op) for op in graph.operators]


@pytest.mark.parametrize(
    "model",
    [
        table(),
        table(axis=-1),
        table(shape=(1, 2, 2, 2, 4, 8)),
        table_of_before(),
    ],
    ids=["cast and add", "axis from the end", "of six axes", "quantize"],
)
def test_all_are_one_table(model, tmp_path):
    assert read(tmp_path, model) == [Lookup]


@pytest.mark.parametrize(
    "other",
    [
        {"index_scale": 0.1, "index_zero_point": 130},
        {"index_zero_point": 132, "entries": np.append(ENTRIES, np.int8(5))},
    ],
    ids=["another scale", "one further on"],
)
def test_other_indices_stay(tmp_path, other):
    assert read(tmp_path, table_of_before(**other)) == [Requantize, Gather]


def test_indices_that_others_take_stay(tmp_path):
    model = table_of_before()
    back = model.tensor(EVERY.shape, "int8", 0.05, 3)
    model.operator("QUANTIZE", [1], [back])
    model.outputs.append(back)
    assert read(tmp_path, model) == [Requantize, Lookup, Requantize]


def test_an_offset_may_stand_first_and_serve_two_tables(tmp_path):
    model = table()
    model.operators[1].inputs.reverse()
    second = model.tensor(EVERY.shape, "int8", 0.1, -7)
    model.operator("GATHER", model.operators[2].inputs, [second], ("GatherOptions", {}))
    model.outputs.append(second)
    assert read(tmp_path, model) == [Lookup, Lookup]


OTHERWISE = {
    "one further on": table(offset=129, entries=np.append(ENTRIES, np.int8(5))),
    "no less than 0": table(activation=1),
    "more entries": table(entries=np.append(ENTRIES, np.int8(5))),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_cast_that_no_table_takes_is_refused(name, tmp_path):
    refused(tmp_path, OTHERWISE[name])


def test_a_cast_that_somebody_else_takes_is_refused(tmp_path):
    model = table()
    model.outputs.append(1)
    refused(tmp_path, model)


def refused(tmp_path, model):
    path = tmp_path / "other.tflite"
    path.write_bytes(write(model))
    with pytest.raises(UnsupportedError, match=r"operator 0 CAST is not supported.*ADD of 128"):
        read_tflite(path)
    assert examine_tflite(path)[0].reason is not None
