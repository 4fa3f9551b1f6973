"""Products of a matrix with vectors."""

from kernels.engines.program import Program, product_row
from kernels.engines.slots import SlotMatrix
from kernels.engines.sparse import prepare_matrix
from kernels.engines.window import WindowProducts
from kernels.values import Step, Values
from npu.model.operators.product import FullyConnected, MatVecParams
from npu.model.window import point


def prepare(values: Values, op: FullyConnected, params: MatVecParams) -> Step:
    """The product with every vector of the input.

    Where weights or bias are computed, or there is a zero point of weights, they are filters of one
    element on an image of one row.
    """
    weights, tensors = values[op.weights], values.graph.tensors
    rows, columns = weights.shape
    bias = None if op.bias is None else values[op.bias]
    computed = not all(tensors[i].is_constant for i in (op.weights, op.bias) if i is not None)
    if not computed and not params.weights_zero_point:
        matrix = prepare_matrix(weights, bias, params)
        inputs = values[op.input].reshape(-1, columns)
        outputs = values[op.output].reshape(-1, rows)
        if isinstance(matrix, SlotMatrix):
            image, answers = inputs[None, None], outputs[None, None]
            outside = params.input_zero_point
            return Program([product_row(matrix, (image, outside), point(), answers)])
        return lambda: matrix.multiply(inputs, outputs)
    products = WindowProducts(params, bias, point())
    image, answers = (
        values[index].reshape(1, 1, -1, width)
        for index, width in ((op.input, columns), (op.output, rows))
    )
    filters = weights.reshape(rows, 1, 1, columns)
    return lambda: products.run(image, filters, answers)


PREPARE = {FullyConnected: prepare}
