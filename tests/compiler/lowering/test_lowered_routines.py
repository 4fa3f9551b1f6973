"""Operators that the chip does with routines and walks: random models answer as on the kernels."""

import numpy as np
import pytest

from compiler.lowering import reduce
from kernels import Interpreter
from npu.errors import MachineError
from npu.model.graph import Graph, Tensor
from npu.model.operators.gather import Gather
from npu.model.operators.reduce import ArgMax, ReduceMax, Sum
from tests.compiler.passes.made import quantization, session
from tests.on_the_twin import chip, differences
from tests.tflite_builder import write
from tests.tflite_kinds import MAKERS

KINDS = [
    "ARG_MAX",
    "ARG_MIN",
    "CIRCULAR_BUFFER",
    "DYNAMIC_UPDATE_SLICE",
    "EMBEDDING_LOOKUP",
    "GATHER",
    "GATHER computed",
    "L2_NORMALIZATION",
    "LOG_SOFTMAX",
    "MEAN",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "SOFTMAX",
    "SQUARED_DIFFERENCE",
    "SUM",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "VARIABLES",
]


def compare(kind, folder, models=3, calls=4):
    rng = np.random.default_rng(sum(kind.encode()))
    for number in range(models):
        path = folder / f"{kind}_{number}.tflite"
        path.write_bytes(write(MAKERS[kind](rng)))
        assert differences(path, rng, chip(), calls) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_random_models_are_equal(kind, tmp_path):
    compare(kind, tmp_path)


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
def test_long_sums_are_equal(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(reduce, "MOST_SUMMED", 0)
    compare(kind, tmp_path)


def test_a_ring_that_goes_on_every_fifth_call(tmp_path):
    compare("CIRCULAR_BUFFER", tmp_path, calls=11)


def test_an_index_that_the_chip_works_out_is_checked():
    q = quantization()
    tensors = (
        Tensor("x", (1, 5), "int8", q, None),
        Tensor("t", (3, 4), "int8", q, None),
        Tensor("i", (1,), "int32", None, None),
        Tensor("y", (1, 4), "int8", q, None),
    )
    operators = (ArgMax("max", 0, 2, 1), Gather("pick", 1, 2, 3))
    made = session(Graph("g", tensors, operators, (0, 1), (3,)))
    x, table = np.zeros((1, 5), np.int8), np.arange(12, dtype=np.int8).reshape(3, 4)
    x[0, 2] = 1
    assert made.invoke([x, table])[0].tolist() == [[8, 9, 10, 11]]
    x[0, 3] = 2
    with pytest.raises(MachineError, match="outside SRAM"):
        made.invoke([x, table])


@pytest.mark.parametrize("op", [Sum("s", 0, 1, (1,)), ReduceMax("m", 0, 1, (1,))])
@pytest.mark.parametrize("shape", [(2, 0, 3), (0, 2, 3), (2, 1, 3)])
def test_what_has_no_elements(op, shape):
    q = quantization()
    result = (shape[0], shape[2])
    graph = Graph(
        "g",
        (Tensor("x", shape, "int8", q, None), Tensor("y", result, "int8", q, None)),
        (op,),
        (0,),
        (1,),
    )
    x = np.ones(shape, np.int8)
    assert np.array_equal(session(graph).invoke([x])[0], Interpreter(graph).invoke([x])[0])


def test_a_walk_in_long_steps():
    q = quantization()
    tensors = (Tensor("x", (2, 40000), "int8", q, None), Tensor("y", (40000,), "int8", q, None))
    graph = Graph("g", tensors, (ReduceMax("m", 0, 1, (0,)),), (0,), (1,))
    x = np.random.default_rng(0).integers(-128, 128, (2, 40000)).astype(np.int8)
    model = session(graph, sram_bytes=1 << 18)
    assert np.array_equal(model.invoke([x])[0], x.max(0))
    column = Graph(
        "g",
        (tensors[0], Tensor("z", (2,), "int8", q, None)),
        (ReduceMax("m", 0, 1, (1,)),),
        (0,),
        (1,),
    )
    assert np.array_equal(session(column, sram_bytes=1 << 18).invoke([x])[0], x.max(1))
