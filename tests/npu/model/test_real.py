"""Real numbers at a model's borders."""

import numpy as np

from npu.model.real import dequantized


def test_what_is_too_large_for_float32_is_infinite():
    found = dequantized(np.array([-128, 0, 127], np.int8), 1e38, 0)
    np.testing.assert_array_equal(found, np.array([-np.inf, 0, np.inf], np.float32))
