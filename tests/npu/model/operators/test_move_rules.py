"""Reshape: as many elements, of the same meaning."""

import pytest

from npu.errors import ModelError
from npu.model.operators.move import PARAMETERS, Reshape
from tests.npu.model.operators.made import activation, unary


def test_another_shape():
    graph, op = unary(Reshape, activation(0.1, 3, (2, 6)), activation(0.1, 3, (12,)))
    assert PARAMETERS[Reshape](graph, op) is None


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (activation(0.1, 0, (2, 6), "int16"), "its types must be equal, not int8 and int16"),
        (activation(0.1, 0, (2, 5)), r"equally many elements, not \[2, 6\] and \[2, 5\]"),
    ],
)
def test_refused(output, message):
    with pytest.raises(ModelError, match=message):
        unary(Reshape, activation(0.1, 0, (2, 6)), output)
