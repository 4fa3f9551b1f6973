"""Arrays of a call: right ones pass, and each wrong one is named."""

import numpy as np
import pytest

from npu.errors import InputError
from npu.model.graph import Tensor
from npu.model.inputs import require_calls, require_indices, require_inputs

TWO = [Tensor("a", (1, 3), "int8", None, None), Tensor("b", (2,), "int32", None, None)]
GOOD = [np.zeros((1, 3), np.int8), np.zeros(2, np.int32)]


def test_right_inputs():
    require_inputs("m", TWO, GOOD)
    require_inputs("m", [], [])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (GOOD[:1], "m takes 2 inputs, not 1"),
        ([*GOOD, GOOD[0]], "m takes 2 inputs, not 3"),
        ([GOOD[0][0], GOOD[1]], r"input 0 of m must be int8 \[1, 3\], not int8 \[3\]"),
        ([GOOD[0], GOOD[1].astype(np.int64)], r"input 1 of m must be int32 \[2\], not int64 \[2\]"),
    ],
)
def test_wrong_inputs(arrays, message):
    with pytest.raises(InputError, match=message):
        require_inputs("m", TWO, arrays)


def test_calls_are_stacked_inputs():
    for calls in (0, 1, 5):
        require_calls("sounds", TWO[0], np.zeros((calls, 3), np.int8))
    with pytest.raises(InputError, match=r"sounds must be int8 \(calls, 3\), not int8 \(2, 4\)"):
        require_calls("sounds", TWO[0], np.zeros((2, 4), np.int8))
    with pytest.raises(InputError, match=r"sounds must be int8 \(calls, 3\), not int16 \(2, 3\)"):
        require_calls("sounds", TWO[0], np.zeros((2, 3), np.int16))


def test_indices():
    require_indices("here", np.array([0, 4]), 5)
    for wrong in (-1, 5):
        with pytest.raises(InputError, match=f"here: an index must be 0 to 4, not {wrong}"):
            require_indices("here", np.array([[0, wrong]]), 5)
