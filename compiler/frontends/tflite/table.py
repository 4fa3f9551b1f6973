"""The one table of TFLite's operators: which run, in which form, and what they become."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tflite.AddOptions import AddOptions
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.Conv2DOptions import Conv2DOptions
from tflite.DepthwiseConv2DOptions import DepthwiseConv2DOptions
from tflite.FullyConnectedOptions import FullyConnectedOptions
from tflite.GatherOptions import GatherOptions
from tflite.MulOptions import MulOptions
from tflite.Pool2DOptions import Pool2DOptions
from tflite.TransposeConvOptions import TransposeConvOptions
from tflite.UnidirectionalSequenceLSTMOptions import UnidirectionalSequenceLSTMOptions

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite import convert, lstm, windows
from compiler.frontends.tflite.schema import OPERATOR_NAMES
from compiler.frontends.tflite.site import Constraint, text
from npu.model.operators.binary import Add, Maximum, Mul
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D
from npu.model.operators.move import Reshape
from npu.model.operators.pool import AveragePool2D, MaxPool2D
from npu.model.operators.rescale import Quantize, Relu, Relu6
from npu.model.operators.table import Logistic, Tanh
from npu.model.references import Operator

COMMON: tuple[Constraint, ...] = (must.integer_types, must.not_compressed, must.one_output)
"""What every operator must fulfil."""


@dataclass(frozen=True)
class Entry:
    """One line of the table: which form of an operator is supported, and how it is read.

    The constraints of `later` are those of the graph's rules and of the chip: they are listed with
    the others and told in verdicts, but do not keep a model from being read, as the kernels run
    some of what the chip does not.

    Attributes
    ----------
    options : kind and class of its options in the schema; None where they say nothing.
    """

    constraints: tuple[Constraint, ...]
    convert: convert.Convert
    options: tuple[int, Any] | None = None
    later: tuple[Constraint, ...] = ()

    def to_be_read(self) -> tuple[Constraint, ...]:
        """What keeps a model from being read."""
        return (*COMMON, *self.constraints)

    def to_run(self) -> tuple[Constraint, ...]:
        """All that it must fulfil."""
        return (*self.to_be_read(), *self.later)


def _unary(kind: Callable[[str, int, int], Operator]) -> Entry:
    constraints = (must.one_input, must.int8_data)
    return Entry(constraints, convert.unary(kind), later=(must.no_constant_input,))


_BINARY = (must.two_inputs, must.int8_data, must.same_shapes, must.clamping_activation)


def _pool(kind: type[AveragePool2D] | type[MaxPool2D]) -> Entry:
    return Entry(
        (
            must.one_input,
            must.int8_data,
            windows.images,
            windows.with_options,
            windows.pool_size,
            must.clamping_activation,
        ),
        windows.pool(kind),
        (BuiltinOptions.Pool2DOptions, Pool2DOptions),
        (must.no_constant_input,),
    )


_CONVOLUTION = (
    must.input_weights_bias,
    must.int8_data_and_weights,
    must.constant_weights,
    windows.images,
    windows.filters,
    windows.with_options,
    windows.dilated,
    must.clamping_activation,
)

SUPPORTED: dict[int, Entry] = {
    BuiltinOperator.ADD: Entry(
        _BINARY,
        convert.binary(Add),
        (BuiltinOptions.AddOptions, AddOptions),
        (must.no_constant_operand,),
    ),
    BuiltinOperator.AVERAGE_POOL_2D: _pool(AveragePool2D),
    BuiltinOperator.CONV_2D: Entry(
        _CONVOLUTION,
        windows.conv(Conv2D),
        (BuiltinOptions.Conv2DOptions, Conv2DOptions),
        (must.no_constant_input,),
    ),
    BuiltinOperator.DEPTHWISE_CONV_2D: Entry(
        (*_CONVOLUTION, windows.bias_or_two_inputs, windows.same_multiplier),
        windows.conv(DepthwiseConv2D),
        (BuiltinOptions.DepthwiseConv2DOptions, DepthwiseConv2DOptions),
        (must.no_constant_input,),
    ),
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
    BuiltinOperator.GATHER: Entry(
        (must.two_inputs, must.constant_int8_table, must.int32_indices, must.whole_rows),
        convert.gather,
        (BuiltinOptions.GatherOptions, GatherOptions),
        (must.indices_from_host,),
    ),
    BuiltinOperator.LOGISTIC: _unary(Logistic),
    BuiltinOperator.MAXIMUM: Entry(
        (must.two_inputs, must.int8_data, must.same_shapes),
        convert.pair(Maximum),
        later=(must.no_constant_operand,),
    ),
    BuiltinOperator.MAX_POOL_2D: _pool(MaxPool2D),
    BuiltinOperator.MUL: Entry(
        _BINARY,
        convert.binary(Mul),
        (BuiltinOptions.MulOptions, MulOptions),
        (must.no_constant_operand,),
    ),
    BuiltinOperator.QUANTIZE: _unary(Quantize),
    BuiltinOperator.RELU: _unary(Relu),
    BuiltinOperator.RELU6: _unary(Relu6),
    BuiltinOperator.RESHAPE: Entry(
        (must.input_with_shape,),
        convert.unary(Reshape),
        later=(must.int8_input, must.no_constant_input),
    ),
    BuiltinOperator.TANH: _unary(Tanh),
    BuiltinOperator.TRANSPOSE_CONV: Entry(
        (
            windows.transpose_inputs,
            windows.transpose_types,
            windows.transpose_constants,
            windows.transpose_images,
            windows.with_options,
            must.clamping_activation,
        ),
        windows.transpose_conv,
        (BuiltinOptions.TransposeConvOptions, TransposeConvOptions),
        (windows.no_constant_image,),
    ),
    BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM: Entry(
        lstm.CONSTRAINTS,
        lstm.convert,
        (BuiltinOptions.UnidirectionalSequenceLSTMOptions, UnidirectionalSequenceLSTMOptions),
        (lstm.symmetric_weights, must.no_constant_input),
    ),
}


def supported_operators() -> list[tuple[str, list[str]]]:
    """The table of supported operators: (name, constraints), sorted by name."""
    return sorted(
        (OPERATOR_NAMES[code], [text(constraint) for constraint in entry.to_run()])
        for code, entry in SUPPORTED.items()
    )
