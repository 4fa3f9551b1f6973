"""What `verify` lets through, and the one line it says about what it does not."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.operators.binary import Add
from npu.model.operators.product import FullyConnected
from npu.model.operators.table import Tanh
from npu.model.references import operator_inputs, operator_outputs
from npu.model.verify import verify


def quantised(scale=0.1, zero_point=0, axis=0):
    return Quantization(np.atleast_1d(np.asarray(scale, np.float32)), zero_point, axis)


def sound() -> Graph:
    """input -> fully connected -> tanh."""
    weights = np.ones((3, 4), np.int8)
    tensors = (
        Tensor("x", (1, 4), "int8", quantised(), None),
        Tensor("w", (3, 4), "int8", quantised([0.1, 0.2, 0.3]), weights),
        Tensor("b", (3,), "int32", None, np.zeros(3, np.int32)),
        Tensor("y", (1, 3), "int8", quantised(), None),
        Tensor("z", (1, 3), "int8", quantised(1 / 128), None),
    )
    operators = (
        FullyConnected("operator 0 (FULLY_CONNECTED)", 0, 1, 2, 3),
        Tanh("operator 1 (TANH)", 3, 4),
    )
    return Graph("m.tflite", tensors, operators, (0,), (4,))


def changed(index: int, **fields) -> Graph:
    graph = sound()
    tensors = list(graph.tensors)
    tensors[index] = replace(tensors[index], **fields)
    return replace(graph, tensors=tuple(tensors))


def operators(*ops) -> Graph:
    return replace(sound(), operators=ops)


FC, TANH = sound().operators


def test_sound():
    verify(sound())


def test_operands():
    assert operator_inputs(FC) == (0, 1, 2) and operator_outputs(FC) == (3,)
    assert operator_inputs(replace(FC, bias=None)) == (0, 1)
    assert operator_inputs(Add("add", 5, 6, 7)) == (5, 6)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (replace(sound(), inputs=()), "it has no inputs"),
        (replace(sound(), inputs=(9,)), "an input must be a tensor index below 5, not 9"),
        (replace(sound(), inputs=(0, 0)), "must not be an input twice"),
        (replace(sound(), inputs=(1,)), "or fixed"),
        (replace(sound(), outputs=()), "it has no outputs"),
        (replace(sound(), outputs=(-1,)), "not -1"),
        (operators(FC), r"output tensor 4 \('z'\) is never computed"),
        (operators(TANH, FC), r"operator 1 \(TANH\): tensor 3 \('y'\) is read before"),
        (operators(FC, FC), "is written twice"),
        (operators(replace(FC, output=0)), "is written twice"),
        (operators(replace(FC, weights=77)), "an input must be a tensor index below 5, not 77"),
        (operators(replace(FC, output=77)), "an output must be a tensor index below 5, not 77"),
        (operators(replace(TANH, input=4)), "is read before it is computed"),
        (changed(0, dtype="float64"), "its type must be one of int8, .*, bool, not float64"),
        (changed(0, dtype="float32"), "float32 must not be quantised"),
        (changed(0, dtype="int16"), "its input must be int8, not int16"),
        (changed(0, shape=(1, -1)), r"its dimensions must not be negative, as in \[1, -1\]"),
        (changed(0, shape=(1, 5)), r"its input \[1, 5\] must hold whole vectors of 4"),
        (changed(0, shape=(1,) * 9), "it must have at most 8 dimensions, not 9"),
        (
            changed(0, shape=(2**20, 2**20)),
            "at most 134217728 elements in all, not .*; the largest is tensor 0 .*cut it in two",
        ),
        (changed(0, quantization=None), "its input must be quantised with one scale"),
        (changed(0, quantization=quantised(np.nan)), "must be finite and positive"),
        (changed(0, quantization=quantised(np.inf)), "must be finite and positive"),
        (changed(0, quantization=quantised(0.0)), "must be finite and positive"),
        (changed(0, quantization=quantised(-1.0)), "must be finite and positive"),
        (changed(0, quantization=quantised([])), "must be finite and positive"),
        (changed(0, quantization=quantised(1, 128)), "zero point must be -128 to 127, not 128"),
        (changed(1, quantization=quantised([1, 2])), "its 2 scales do not fit axis 0"),
        (changed(1, quantization=quantised([1] * 4, 0, 1)), "must belong to rows"),
        (changed(1, data=np.ones((3, 5), np.int8)), "its contents must be int8"),
        (changed(1, data=None, is_state=True), "is a state; only its own operator may read it"),
        (changed(1, is_state=True), "a state must not be a constant"),
        (
            changed(2, shape=(4,), data=np.zeros(4, np.int32)),
            r"its bias must be int32 \[3\], not int32 \[4\]",
        ),
        (changed(3, shape=(1, 4)), r"its output \[1, 4\] does not fit"),
        (changed(4, quantization=quantised(1 / 64)), "must have scale 1/128 and zero point 0"),
    ],
)
def test_refused(graph, message):
    with pytest.raises(ModelError, match=message) as error:
        verify(graph)
    assert str(error.value).startswith("m.tflite: ")
    assert "\n" not in str(error.value)
