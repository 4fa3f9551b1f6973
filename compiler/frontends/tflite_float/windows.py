"""Convolutions and pools: TFLite's images are NHWC, ONNX's NCHW."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tflite.Padding import Padding

from compiler.frontends.tflite_float.site import TO_NCHW, TO_NHWC, Rule, Site


def _padding(site: Site, told: Any, kernel: Sequence[int], dilation: Sequence[int]) -> dict:
    """SAME in numbers where windows are dilated, which runtimes of ONNX do not count by name."""
    if told.Padding() != Padding.SAME:
        return {"auto_pad": "VALID"}
    if max(dilation) == 1:
        return {"auto_pad": "SAME_UPPER"}
    pairs = []
    stride, image = (told.StrideH(), told.StrideW()), site.shape(0)[1:3]
    for size, width, step, apart in zip(image, kernel, stride, dilation, strict=True):
        span = (width - 1) * apart + 1
        total = max(0, (-(-size // step) - 1) * step + span - size)
        pairs.append((total // 2, total - total // 2))
    return {"pads": [pairs[0][0], pairs[1][0], pairs[0][1], pairs[1][1]]}


def _weights(site: Site, position: int, order: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Filters in ONNX's order of axes, and height and width of a window."""
    kernel = site.shape(position)[1:3]
    data = site.written.constant(site.inputs[position])
    if data is None:
        return site.turned(site.input(position), order), kernel
    return site.store(np.transpose(data, order), np.float32), kernel


def _put(site: Site, value: str, activation: int) -> None:
    site.turned(site.activated(activation, value), TO_NHWC, site.output)


def _conv_2d(site: Site) -> None:
    told = site.options("Conv2DOptions")
    channels, per_group = site.shape(0)[3], site.shape(1)[3]
    if per_group < 1 or channels % per_group:
        raise site.refuse(f"its filters take {per_group} of {channels} channels")
    _conv(site, told, (0, 3, 1, 2), channels // per_group)


def _depthwise(site: Site) -> None:
    """Filters (1, height, width, channels times multiplier)."""
    told = site.options("DepthwiseConv2DOptions")
    _conv(site, told, (3, 0, 1, 2), site.shape(0)[3])


def _conv(site: Site, told: Any, order: Sequence[int], group: int) -> None:
    weights, kernel = _weights(site, 1, order)
    dilation = [told.DilationHFactor(), told.DilationWFactor()]
    bias = [site.input(2)] if site.given(2) else []
    made = site.emit(
        "Conv",
        [site.turned(site.input(0), TO_NCHW), weights, *bias],
        group=group,
        kernel_shape=list(kernel),
        strides=[told.StrideH(), told.StrideW()],
        dilations=dilation,
        **_padding(site, told, kernel, dilation),
    )
    _put(site, made, told.FusedActivationFunction())


def _transpose_conv(site: Site) -> None:
    """What a convolution of the same window and padding would have come from."""
    told = site.options("TransposeConvOptions")
    wanted = site.integers(0, "output shape")[1:3]
    image, (weights, kernel) = site.shape(2)[1:3], _weights(site, 1, (3, 0, 1, 2))
    stride = [told.StrideH(), told.StrideW()]
    begins, ends, more = [], [], []
    for size, width, step, whole in zip(image, kernel, stride, wanted, strict=True):
        over = (size - 1) * step + width - whole
        first = max(0, over) // 2
        begins.append(first)
        ends.append(max(0, over) - first)
        more.append(max(0, -over))
    bias = [site.input(3)] if site.given(3) else []
    made = site.emit(
        "ConvTranspose",
        [site.turned(site.input(2), TO_NCHW), weights, *bias],
        kernel_shape=list(kernel),
        strides=stride,
        pads=[*begins, *ends],
        output_padding=more if any(more) else None,
    )
    _put(site, made, told.FusedActivationFunction())


def _pool(kind: str) -> Rule:
    def rule(site: Site) -> None:
        told = site.options("Pool2DOptions")
        kernel = [told.FilterHeight(), told.FilterWidth()]
        made = site.emit(
            kind,
            [site.turned(site.input(0), TO_NCHW)],
            kernel_shape=kernel,
            strides=[told.StrideH(), told.StrideW()],
            **_padding(site, told, kernel, [1, 1]),
        )
        _put(site, made, told.FusedActivationFunction())

    return rule


RULES: dict[str, Rule] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "MAX_POOL_2D": _pool("MaxPool"),
    "AVERAGE_POOL_2D": _pool("AveragePool"),
}
