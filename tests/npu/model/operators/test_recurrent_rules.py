"""LSTM: what its step computes with, and the cells that are refused."""

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
