"""Live comparison with TensorFlow Lite Micro of products of matrices, on random models."""

import numpy as np
import pytest

from tests.kernels.test_oracle import assert_equal_to_oracle
from tests.tflite_builder import write
from tests.tflite_products import random_product_model


@pytest.mark.parametrize("kind", ["BATCH_MATMUL", "FULLY_CONNECTED", "SVDF"])
def test_random_products(tmp_path, kind):
    rng = np.random.default_rng([12, *kind.encode()])
    for index in range(12):
        path = tmp_path / f"{kind}_{index}.tflite"
        path.write_bytes(write(random_product_model(kind, rng)))
        assert_equal_to_oracle(path, rng, 3)
