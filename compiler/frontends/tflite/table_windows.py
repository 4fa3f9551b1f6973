"""The lines of TFLite's table for operators that look at windows of images."""

from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.Conv2DOptions import Conv2DOptions
from tflite.DepthwiseConv2DOptions import DepthwiseConv2DOptions
from tflite.Pool2DOptions import Pool2DOptions
from tflite.TransposeConvOptions import TransposeConvOptions

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite import windows
from compiler.frontends.tflite.entry import Entry
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D
from npu.model.operators.pool import AveragePool2D, MaxPool2D


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

WINDOWS: dict[int, Entry] = {
    BuiltinOperator.AVERAGE_POOL_2D: _pool(AveragePool2D),
    BuiltinOperator.CONV_2D: Entry(
        _CONVOLUTION,
        windows.conv(Conv2D),
        (BuiltinOptions.Conv2DOptions, Conv2DOptions),
    ),
    BuiltinOperator.DEPTHWISE_CONV_2D: Entry(
        (*_CONVOLUTION, windows.bias_or_two_inputs, windows.same_multiplier),
        windows.conv(DepthwiseConv2D),
        (BuiltinOptions.DepthwiseConv2DOptions, DepthwiseConv2DOptions),
    ),
    BuiltinOperator.MAX_POOL_2D: _pool(MaxPool2D),
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
    ),
}
