"""Forms of an LSTM that the kernels run and the chip does not, each with its reason."""

import numpy as np
import pytest

from compiler.lowering.ir import Segment
from compiler.lowering.site import GraphLowering
from kernels import Interpreter
from npu.chip.params import load_params
from npu.errors import UnsupportedError
from npu.model.graph import Graph
from npu.model.operators.recurrent import Lstm
from tests.npu.model.operators.made import activation, constant


def refused(graph: Graph, message: str) -> None:
    Interpreter(graph)
    with pytest.raises(UnsupportedError, match=f"^m: op: {message}"):
        GraphLowering(graph, load_params("tiny"), Segment("main"))


def test_several_sequences():
    weights = [constant(np.ones((3, n), np.int8), 0.01) for n in (4, 3)]
    tensors = (
        activation(0.05, -3, (2, 5, 4)),
        *weights,
        activation(1 / 128, 2, (5, 3), is_state=True),
        activation(2.0**-11, 0, (5, 3), "int16", True),
        activation(1 / 128, 2, (2, 5, 3)),
    )
    op = Lstm("op", 0, (1,) * 4, (2,) * 4, (None,) * 4, 3, 4, 5, time_major=True)
    refused(Graph("m", tensors, (op,), (0,), (5,)), "a batch of 5 sequences; the chip takes one")
