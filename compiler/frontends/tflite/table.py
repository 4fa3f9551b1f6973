"""The one table of TFLite's operators: which run, in which form, and what they become."""

from tflite.BatchMatMulOptions import BatchMatMulOptions
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.FullyConnectedOptions import FullyConnectedOptions
from tflite.UnidirectionalSequenceLSTMOptions import UnidirectionalSequenceLSTMOptions

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite import convert, lstm
from compiler.frontends.tflite.decided import REFUSED
from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.ring import RING
from compiler.frontends.tflite.site import text
from compiler.frontends.tflite.source import Code, kind_name
from compiler.frontends.tflite.table_math import MATH
from compiler.frontends.tflite.table_moves import MOVES
from compiler.frontends.tflite.table_picks import PICKS
from compiler.frontends.tflite.table_variables import VARIABLES
from compiler.frontends.tflite.table_windows import WINDOWS

SUPPORTED: dict[Code, Entry] = {
    BuiltinOperator.BATCH_MATMUL: Entry(
        (must.two_inputs, must.int8_data),
        convert.batch_matmul,
        (BuiltinOptions.BatchMatMulOptions, BatchMatMulOptions),
        (must.only_in_kernels,),
    ),
    BuiltinOperator.FULLY_CONNECTED: Entry(
        (
            must.input_weights_bias,
            must.int8_data_and_weights,
            must.constant_bias,
            must.one_scale_of_int4,
            must.plain_weights_format,
            must.clamping_activation,
        ),
        convert.fully_connected,
        (BuiltinOptions.FullyConnectedOptions, FullyConnectedOptions),
        (must.constant_weights, must.symmetric_weights, must.no_constant_input),
    ),
    BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM: Entry(
        lstm.CONSTRAINTS,
        lstm.convert,
        (BuiltinOptions.UnidirectionalSequenceLSTMOptions, UnidirectionalSequenceLSTMOptions),
        (lstm.symmetric_weights, must.no_constant_input),
    ),
}
SUPPORTED.update(
    (code, entry)
    for room in (MATH, MOVES, PICKS, VARIABLES, WINDOWS)
    for code, entry in room.items()
)
SUPPORTED.update(RING)


def supported_operators() -> list[tuple[str, list[str]]]:
    """The table of supported operators: (name, constraints), sorted by name."""
    return sorted(
        (kind_name(code), [text(constraint) for constraint in entry.to_run()])
        for code, entry in SUPPORTED.items()
    )


def refused_operators() -> list[tuple[str, str]]:
    """What TensorFlow Lite Micro has besides: (name, reason), sorted by name."""
    refused = ((kind_name(code), why) for code, why in REFUSED.items() if code not in SUPPORTED)
    return sorted(refused, key=lambda each: each[0].lower())
