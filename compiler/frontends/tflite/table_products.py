"""The lines of TFLite's table for products of matrices, and for layers made of them."""

from tflite.BatchMatMulOptions import BatchMatMulOptions
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.FullyConnectedOptions import FullyConnectedOptions
from tflite.SVDFOptions import SVDFOptions
from tflite.UnidirectionalSequenceLSTMOptions import UnidirectionalSequenceLSTMOptions

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite import lstm, products, svdf
from compiler.frontends.tflite.entry import Entry

PRODUCTS: dict[int, Entry] = {
    BuiltinOperator.BATCH_MATMUL: Entry(
        (must.two_inputs, must.int8_data),
        products.batch_matmul,
        (BuiltinOptions.BatchMatMulOptions, BatchMatMulOptions),
    ),
    BuiltinOperator.FULLY_CONNECTED: Entry(
        (
            must.input_weights_bias,
            must.int8_data_and_weights,
            products.one_scale_of_int4,
            products.plain_weights_format,
            must.clamping_activation,
        ),
        products.fully_connected,
        (BuiltinOptions.FullyConnectedOptions, FullyConnectedOptions),
    ),
    BuiltinOperator.SVDF: Entry(
        svdf.CONSTRAINTS,
        svdf.convert,
        (BuiltinOptions.SVDFOptions, SVDFOptions),
    ),
    BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM: Entry(
        lstm.CONSTRAINTS,
        lstm.convert,
        (BuiltinOptions.UnidirectionalSequenceLSTMOptions, UnidirectionalSequenceLSTMOptions),
    ),
}
