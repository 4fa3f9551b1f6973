"""Operators with windows: their constraints, and padding in words as numbers.

Options say SAME or VALID; the operators of a graph say how many rows and columns lie outside.
"""

from tflite.Padding import Padding
from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Convert, Number
from compiler.frontends.tflite.schema import ACTIVATIONS
from compiler.frontends.tflite.site import Site
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D, TransposeConv
from npu.model.operators.pool import AveragePool2D, MaxPool2D
from npu.model.references import Operator

_PADDINGS = (Padding.SAME, Padding.VALID)

Sizes = tuple[int, int]


def with_options(site: Site) -> bool:
    """options say stride and padding (SAME or VALID), the stride at least 1"""
    options = site.options
    return options is not None and options.Padding() in _PADDINGS and min(_stride(site)) >= 1


def dilated(site: Site) -> bool:
    """the dilation is at least 1"""
    return min(_dilation(site)) >= 1


def pool_size(site: Site) -> bool:
    """the window is at least 1 by 1"""
    return min(site.options.FilterHeight(), site.options.FilterWidth()) >= 1


def images(site: Site) -> bool:
    """input and output are [batch, height, width, channels]"""
    return len(site.input(0).shape) == 4 and len(site.output().shape) == 4


def filters(site: Site) -> bool:
    """weights have four dimensions"""
    return len(site.input(1).shape) == 4


def bias_or_two_inputs(site: Site) -> bool:
    """the bias is given, or there are two inputs"""
    # TFLM crashes on a third input that is absent.
    return len(site.inputs) == 2 or site.given(2)


def same_multiplier(site: Site) -> bool:
    """the weights have the channels of the input times the depth multiplier"""
    return site.input(1).shape[3] == site.input(0).shape[3] * site.options.DepthMultiplier()


def transpose_inputs(site: Site) -> bool:
    """there are the output's shape, weights, an input, and possibly a bias"""
    return len(site.inputs) in (3, 4) and site.given(1, 2)


def transpose_types(site: Site) -> bool:
    """input, weights and output are int8, the bias int32"""
    data = (site.input(1), site.input(2), site.output())
    bias = site.input(3).type if site.given(3) else TensorType.INT32
    return all(t.type == TensorType.INT8 for t in data) and bias == TensorType.INT32


def transpose_constants(site: Site) -> bool:
    """weights and bias are constant"""
    return site.input(1).is_constant and (not site.given(3) or site.input(3).is_constant)


def transpose_images(site: Site) -> bool:
    """input, weights and output have four dimensions"""
    return all(len(s) == 4 for s in (site.input(1).shape, site.input(2).shape, site.output().shape))


def no_constant_image(site: Site) -> bool:
    """the input is not a constant"""
    return not site.input(2).is_constant


def conv(kind: type[Conv2D] | type[DepthwiseConv2D]) -> Convert:
    """CONV_2D or DEPTHWISE_CONV_2D, with its fused activation."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        return kind(
            name,
            tensor(site.inputs[0]),
            tensor(site.inputs[1]),
            tensor(site.inputs[2]) if site.given(2) else None,
            tensor(site.outputs[0]),
            _stride(site),
            _dilation(site),
            _padding(site, site.input(0).shape[1:3], site.input(1).shape[1:3], _dilation(site)),
            ACTIVATIONS[site.activation()],
        )

    return convert


def transpose_conv(name: str, site: Site, tensor: Number) -> TransposeConv:
    """TRANSPOSE_CONV, with its fused activation; the output's shape is that of its tensor."""
    return TransposeConv(
        name,
        tensor(site.inputs[2]),
        tensor(site.inputs[1]),
        tensor(site.inputs[3]) if site.given(3) else None,
        tensor(site.outputs[0]),
        _stride(site),
        _padding(site, site.output().shape[1:3], site.input(1).shape[1:3], (1, 1)),
        ACTIVATIONS[site.activation()],
    )


def pool(kind: type[AveragePool2D] | type[MaxPool2D]) -> Convert:
    """AVERAGE_POOL_2D or MAX_POOL_2D, with its fused activation."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        size = site.options.FilterHeight(), site.options.FilterWidth()
        return kind(
            name,
            tensor(site.inputs[0]),
            tensor(site.outputs[0]),
            size,
            _stride(site),
            _padding(site, site.input(0).shape[1:3], size, (1, 1)),
            ACTIVATIONS[site.activation()],
        )

    return convert


def _stride(site: Site) -> Sizes:
    return site.options.StrideH(), site.options.StrideW()


def _dilation(site: Site) -> Sizes:
    return site.options.DilationHFactor(), site.options.DilationWFactor()


def _padding(
    site: Site, image: tuple[int, ...], size: tuple[int, ...], dilation: Sizes
) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) on an image (height, width)."""
    if site.options.Padding() == Padding.VALID:
        return 0, 0, 0, 0
    (top, bottom), (left, right) = (
        _same(n, taps, stride, apart)
        for n, taps, stride, apart in zip(image, size, _stride(site), dilation, strict=True)
    )
    return top, left, bottom, right


def _same(image: int, taps: int, stride: int, dilation: int) -> tuple[int, int]:
    """What SAME adds before and after, so that every `stride`-th element gets a window."""
    span = (taps - 1) * dilation + 1
    windows = -(-image // stride)
    total = max(0, (windows - 1) * stride + span - image)
    return total // 2, total - total // 2
