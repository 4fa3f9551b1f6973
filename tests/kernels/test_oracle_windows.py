"""Live comparison with TensorFlow Lite Micro of operators with windows, on random models."""

import numpy as np
import pytest

from tests.kernels.test_oracle import assert_equal_to_oracle
from tests.tflite_builder import write
from tests.tflite_windows import random_window_model

KINDS = ["AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "TRANSPOSE_CONV"]


@pytest.mark.parametrize("kind", KINDS)
def test_random_windows(tmp_path, kind):
    rng = np.random.default_rng(sum(kind.encode()))
    for index in range(10):
        path = tmp_path / f"{kind}_{index}.tflite"
        path.write_bytes(write(random_window_model(kind, rng)))
        assert_equal_to_oracle(path, rng, 2)
