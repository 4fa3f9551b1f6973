"""Element-wise operators on the chip, where scales are so far apart that products wrap."""

import numpy as np
import pytest

from kernels import Interpreter
from npu.model.graph import Graph, Tensor
from npu.model.operators.binary import Mul, Prelu, SquaredDifference
from tests.compiler.passes.made import quantization, session


@pytest.mark.parametrize(("kind", "output"), [(Mul, 0.03), (Prelu, 0.03), (SquaredDifference, 1e6)])
def test_products_that_wrap(kind, output):
    scales = (3.4e6, 102), (0.0006, -112), (output, 127)
    shapes = (1, 256), (256, 1), (256, 256)
    tensors = tuple(
        Tensor("t", shape, "int8", quantization(*scale), None)
        for shape, scale in zip(shapes, scales, strict=True)
    )
    graph = Graph("g", tensors, (kind("op", 0, 1, 2),), (0, 1), (2,))
    every = np.arange(-128, 128, dtype=np.int8)
    inputs = [every.reshape(1, 256), every.reshape(256, 1)]
    (exact,) = Interpreter(graph).invoke(inputs)
    (found,) = session(graph, sram_bytes=1 << 20).invoke(inputs)
    np.testing.assert_array_equal(np.asarray(found).reshape(exact.shape), exact)
    assert len(np.unique(exact)) > 1
