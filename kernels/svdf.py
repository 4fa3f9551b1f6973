"""SVDF: a product with each call's input, and a weighted sum over the last calls' products."""

import numpy as np

from kernels.engines.requantise import requantise
from kernels.engines.sparse import prepare_matrix
from kernels.values import Step, Values
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.model.operators.svdf import Svdf, SvdfParams


def prepare(values: Values, op: Svdf, params: SvdfParams) -> Step:
    """A call's products enter the state; the state lives on in `values`."""
    inputs, output = values[op.input], values[op.output]
    over_time = values[op.time_weights].astype(np.int64)
    filters, memory = over_time.shape
    matrix = prepare_matrix(values[op.feature_weights], None, params.feature)
    state = values[op.state].reshape(-1, filters, memory)
    products = np.empty((len(inputs), filters), state.dtype)
    bias = values[op.bias].astype(np.int64)

    def step() -> None:
        state[..., :-1] = state[..., 1:].copy()
        matrix.multiply(inputs, products)
        # Wraps, as the C source does where the sum leaves the type.
        state[..., -1] = (products.astype(np.int64) + params.state_zero_point).astype(state.dtype)
        sums = ((state.astype(np.int64) - params.state_zero_point) * over_time).sum(axis=-1)
        totals = sums.reshape(len(inputs), -1, op.rank).sum(axis=-1) + bias
        requantise(
            totals.reshape(-1),
            params.multiplier,
            params.shift,
            params.output_zero_point,
            INT8_MIN,
            INT8_MAX,
            output.reshape(-1),
        )

    return step


PREPARE = {Svdf: prepare}
