"""Products of two activations that are matrices."""

import numpy as np

from kernels.engines.window import WindowProducts
from kernels.values import Step, Values
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.product import MatVecParams
from npu.model.window import point


def prepare(values: Values, op: BatchMatMul, params: MatVecParams) -> Step:
    """Matrix by matrix: the columns of b are filters on an image of one row, the rows of a."""
    a, b, output = (values[index] for index in (op.a, op.b, op.output))
    batches = output.shape[:-2]
    rows = a.swapaxes(-1, -2) if op.transpose_a else a
    columns = b if op.transpose_b else b.swapaxes(-1, -2)
    rows = np.broadcast_to(rows, (*batches, *rows.shape[-2:]))
    columns = np.broadcast_to(columns, (*batches, *columns.shape[-2:]))
    products = WindowProducts(params, None, point())

    def step() -> None:
        for batch in np.ndindex(batches):
            image = np.array(rows[batch], order="C")[None, None]
            filters = np.array(columns[batch], order="C")[:, None, None]
            products.run(image, filters, output[batch][None, None])

    return step


PREPARE = {BatchMatMul: prepare}
