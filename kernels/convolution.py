"""Products of constant filters with windows of images."""

import numpy as np

from kernels.engines.program import PROGRAMS, Program, product_row
from kernels.engines.slots import SlotMatrix
from kernels.engines.sparse import prepare_matrix
from kernels.engines.window import WindowProducts
from kernels.values import Step, Values
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D, TransposeConv, window
from npu.model.operators.product import MatVecParams
from npu.model.window import Window


def prepare(values: Values, op: Conv2D | DepthwiseConv2D, params: MatVecParams) -> Step:
    """Every window of every image; a depthwise filter is one of a group of one channel."""
    filters = values[op.weights]
    if isinstance(op, DepthwiseConv2D):
        filters = filters.transpose(3, 1, 2, 0)
    weights = np.array(filters, order="C")
    bias, own = None if op.bias is None else values[op.bias], window(values.graph, op)
    inputs, outputs = values[op.input], values[op.output]
    whole = weights.shape[3] == inputs.shape[3] and own.dilation == (1, 1)
    if PROGRAMS and whole and not params.weights_zero_point:
        matrix = prepare_matrix(weights.reshape(len(weights), -1), bias, params)
        if isinstance(matrix, SlotMatrix):
            image = (inputs, params.input_zero_point)
            return Program([product_row(matrix, image, own, outputs)])
    products = WindowProducts(params, bias, own)
    return lambda: products.run(inputs, weights, outputs)


def prepare_transpose(values: Values, op: TransposeConv, params: MatVecParams) -> Step:
    """The same sums from the outputs' side: windows of the inputs spread by the stride.

    Output y takes tap j of input i where y = i * stride - top + j; counted from the other end of
    the filter, that is a window's tap at y + top - (height - 1).
    """
    flipped = np.array(values[op.weights][:, ::-1, ::-1], order="C")
    bias = None if op.bias is None else values[op.bias]
    own = window(values.graph, op)
    (height, width), (top, left, _, _) = own.size, own.padding
    ends = (height - 1 - top, width - 1 - left, 0, 0)
    products = WindowProducts(params, bias, Window(own.size, (1, 1), (1, 1), ends), op.stride)
    inputs, outputs = values[op.input], values[op.output]
    return lambda: products.run(inputs, flipped, outputs)


PREPARE = {Conv2D: prepare, DepthwiseConv2D: prepare, TransposeConv: prepare_transpose}
