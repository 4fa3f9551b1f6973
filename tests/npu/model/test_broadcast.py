"""Broadcasting: shapes and strides against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.errors import ModelError
from npu.model.broadcast import broadcast_shape, broadcast_strides, require_broadcast

shapes = st.lists(st.integers(1, 4), max_size=4).map(tuple)


@given(shapes, shapes)
def test_shapes_are_those_of_numpy(a, b):
    try:
        wanted = np.broadcast_shapes(a, b)
    except ValueError:
        with pytest.raises(ModelError, match="cannot be broadcast to one"):
            broadcast_shape(a, b)
    else:
        assert broadcast_shape(a, b) == wanted


@given(shapes, shapes)
def test_strides_find_the_elements(a, b):
    try:
        common = np.broadcast_shapes(a, b)
    except ValueError:
        return
    data = np.arange(np.prod(a, dtype=int)).reshape(a)
    strides = broadcast_strides(a, common)
    places = np.zeros(common, int)
    for axis, stride in enumerate(strides):
        along = [1] * len(common)
        along[axis] = -1
        places += (np.arange(common[axis]) * stride).reshape(along)
    np.testing.assert_array_equal(data.reshape(-1)[places], np.broadcast_to(data, common))


def test_an_output_may_have_ones_in_front():
    require_broadcast((1, 1, 3), (3,), (1, 3))
    require_broadcast((3,), (1, 1), (3,))
    with pytest.raises(ModelError, match=r"its output must be \[2, 3\], not \[1, 3\]"):
        require_broadcast((1, 3), (2, 3), (3,))
