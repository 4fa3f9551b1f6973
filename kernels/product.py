"""Products of a constant matrix with vectors."""

from kernels.engines.sparse import prepare_matrix
from kernels.values import Step, Values
from npu.model.operators.product import FullyConnected, MatVecParams


def prepare(values: Values, op: FullyConnected, params: MatVecParams) -> Step:
    """The product with every vector of the input."""
    weights = values[op.weights]
    bias = None if op.bias is None else values[op.bias]
    matrix = prepare_matrix(weights, bias, params)
    inputs = values[op.input].reshape(-1, weights.shape[1])
    outputs = values[op.output].reshape(-1, weights.shape[0])
    return lambda: matrix.multiply(inputs, outputs)


PREPARE = {FullyConnected: prepare}
