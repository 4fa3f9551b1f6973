"""The one table of TFLite's operators: which run, in which form, and what they become."""

from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.FullyConnectedOptions import FullyConnectedOptions
from tflite.UnidirectionalSequenceLSTMOptions import UnidirectionalSequenceLSTMOptions

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite import convert, lstm
from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.schema import OPERATOR_NAMES
from compiler.frontends.tflite.site import text
from compiler.frontends.tflite.table_math import MATH
from compiler.frontends.tflite.table_moves import MOVES
from compiler.frontends.tflite.table_picks import PICKS
from compiler.frontends.tflite.table_windows import WINDOWS

SUPPORTED: dict[int, Entry] = {
    BuiltinOperator.FULLY_CONNECTED: Entry(
        (
            must.input_weights_bias,
            must.int8_data_and_weights,
            must.constant_weights,
            must.plain_weights_format,
            must.clamping_activation,
        ),
        convert.fully_connected,
        (BuiltinOptions.FullyConnectedOptions, FullyConnectedOptions),
        (must.symmetric_weights, must.no_constant_input),
    ),
    BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM: Entry(
        lstm.CONSTRAINTS,
        lstm.convert,
        (BuiltinOptions.UnidirectionalSequenceLSTMOptions, UnidirectionalSequenceLSTMOptions),
        (lstm.symmetric_weights, must.no_constant_input),
    ),
}
SUPPORTED.update(MATH)
SUPPORTED.update(MOVES)
SUPPORTED.update(PICKS)
SUPPORTED.update(WINDOWS)


def supported_operators() -> list[tuple[str, list[str]]]:
    """The table of supported operators: (name, constraints), sorted by name."""
    return sorted(
        (OPERATOR_NAMES[code], [text(constraint) for constraint in entry.to_run()])
        for code, entry in SUPPORTED.items()
    )
