"""LSTM: what its step computes with, and the cells that are refused."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.graph import Graph
from npu.model.operators.recurrent import Lstm, lstm_params
from npu.model.verify import verify
from tests.npu.model.operators.made import activation, constant


def lstm(cell_scale=2.0**-11, cell_clip=0.0, hidden=(1 / 128, 2)):
    weights = [constant(np.ones((3, n), np.int8), 0.01) for n in (4, 3)]
    tensors = (
        activation(0.05, -3, (1, 2, 4)),
        *weights,
        constant(np.ones(3, np.int32)),
        activation(*hidden, (1, 3), is_state=True),
        activation(cell_scale, 0, (1, 3), "int16", True),
        activation(*hidden, (1, 2, 3)),
    )
    op = Lstm("op", 0, (1,) * 4, (2,) * 4, (3,) * 4, 4, 5, 6, cell_clip)
    graph = Graph("m", tensors, (op,), (0,), (6,))
    verify(graph)
    return graph, op


def test_lstm():
    p = lstm_params(*lstm(cell_clip=10.0))
    assert p.sigmoid == p.gate_tanh == (3, 0) and p.cell_tanh == (6, 0)
    assert p.cell_clip == 20480
    assert (p.forget_mul.multiplier, p.forget_mul.shift) == (2**30, -14)
    assert (p.input_mul.multiplier, p.input_mul.shift) == (2**30, -18)
    assert (p.output_mul.output_zero_point, p.output_mul.lo, p.output_mul.hi) == (2, -128, 127)
    assert len(p.input) == len(p.recurrent) == 4
    assert (p.input[0].lo, p.input[0].hi, p.input[0].input_zero_point) == (-32768, 32767, -3)
    assert p.recurrent[0].input_zero_point == 2
    assert lstm_params(*lstm()).cell_clip == 0
    assert lstm_params(*lstm(cell_clip=1e9)).cell_clip == 32767


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell_scale": 0.0003}, "must be a power of two, not 0.0003"),
        ({"cell_scale": 2.0**5}, r"2\^-27 to 2\^2 here, not 2\^5"),
        ({"cell_clip": 1e-9}, "its cell clip must be 0"),
    ],
)
def test_lstm_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        lstm_params(*lstm(**arguments))


def broken(**changes):
    """The LSTM with some tensors replaced (`t0` ...), or fields of the operator."""
    graph, op = lstm()
    tensors = list(graph.tensors)
    for name, tensor in list(changes.items()):
        if name[1:].isdigit():
            tensors[int(name[1:])] = tensor
            del changes[name]
    return Graph("m", tuple(tensors), (replace(op, **changes),), (0,), (6,))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (broken(t0=activation(0.05, shape=(2, 4))), "its input must be sequences of features"),
        (broken(t6=activation(1 / 128, 2, (1, 3, 3))), r"its output must be \[1, 2, units\]"),
        (
            broken(t4=activation(1 / 128, 2, (1, 4), is_state=True)),
            r"hidden state must be \[1, 3\]",
        ),
        (broken(time_major=True), r"its hidden state must be \[2, 3\], not \[1, 3\]"),
        (broken(t4=activation(1 / 128, 2, (1, 3))), "is read before it is computed"),
        (broken(t5=activation(0.1, 1, (1, 3), "int16", True)), "point of its cell state must be 0"),
        (broken(t1=constant(np.ones((3, 5), np.int8), 0.01)), r"gate i must be \[3, 4\]"),
        (broken(t2=constant(np.ones((3, 3), np.int8), [1, 2, 3])), "one scale in all"),
        (broken(t3=constant(np.ones(4, np.int32))), r"its bias must be a constant int32 \[3\]"),
        (broken(hidden_state=5), "must be a state of this operator alone"),
        (broken(cell_clip=-1.0), "its cell clip must be finite and not negative"),
    ],
)
def test_rules(graph, message):
    with pytest.raises(ModelError, match=message):
        verify(graph)
