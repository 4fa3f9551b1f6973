"""Gather: what of its table, indices and output is legal."""

from dataclasses import replace

import numpy as np
import pytest

from npu.errors import ModelError
from npu.model.graph import Graph, Tensor
from npu.model.operators.gather import PARAMETERS, Gather
from npu.model.verify import verify
from tests.npu.model.operators.made import activation, constant, quantised

OP = Gather("op", 0, 1, 2)


def graph(table=None, indices=None, output=None, op=OP) -> Graph:
    tensors = (
        constant(np.zeros((5, 3), np.int8), 0.1) if table is None else table,
        indices or Tensor("i", (1, 2), "int32", None, None),
        output or activation(0.1, shape=(1, 2, 3)),
    )
    inputs = tuple(i for i in (0, 1) if tensors[i].data is None)
    return Graph("m", tensors, (op,), inputs, (2,))


def test_a_row_for_each_index():
    verify(graph())
    verify(graph(op=replace(OP, axis=1), output=activation(0.1, shape=(5, 1, 2))))
    verify(graph(table=activation(0.1, shape=(5, 3))))
    assert PARAMETERS[Gather](graph(), OP) is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"table": constant(np.zeros((5, 3), np.int16), 0.1)},
            "both be float32 or int8, not int16 and int8",
        ),
        ({"op": replace(OP, axis=2)}, r"it has no axis 2 behind 0 common ones in \[5, 3\]"),
        ({"op": replace(OP, axis=0, batch_dims=1)}, "it has no axis 0 behind 1 common ones"),
        ({"op": replace(OP, axis=1, batch_dims=1)}, r"its first axes must be \(5,\), not \(1,\)"),
        ({"indices": activation(0.1, shape=(1, 2))}, "its indices must be int32, not int8"),
        ({"output": activation(0.1, shape=(1, 2, 4))}, r"its output must be \[1, 2, 3\]"),
        (
            {
                "output": replace(
                    activation(0.1, shape=(1, 2, 3)), quantization=quantised([1, 2], 0)
                )
            },
            "its 2 scales do not fit",
        ),
    ],
)
def test_refused(changed, message):
    with pytest.raises(ModelError, match=message):
        verify(graph(**changed))
