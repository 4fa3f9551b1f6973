"""Convolutions over frames: causal from chunk to chunk and free within one, and ConvNeXt."""

import numpy as np

from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from compiler.frontends.workloads.zipformer.attention import past
from compiler.frontends.workloads.zipformer.pointwise import (
    BRANCH_RMS,
    WIDE_RMS,
    halved,
    swoosh_l,
    swoosh_r,
)
from npu.model.boxes import Box
from npu.model.operators.convolution import DepthwiseConv2D


def convolution(b: GraphBuilder, x: Value, kernel: int) -> Value:
    """Pointwise to two halves, one gated by the other, frames by channel, SwooshR, pointwise."""
    wide = b.linear(x, 2 * x.width, name="convolution in")
    value, gate = b.split(wide, 2)
    gated = b.mul(value, b.logistic(gate), halved(value), 0.5)
    made = _chunked(b, gated, kernel)
    return b.linear(swoosh_r(b, made), x.width, name="convolution out", rms=BRANCH_RMS)


def _chunked(b: GraphBuilder, x: Value, kernel: int) -> Value:
    """(1, steps, width): two depthwise convolutions of the same frames, added.

    One of (kernel + 1) / 2 frames up to each one, with what came before the chunk; one of `kernel`
    frames around it within the chunk, beyond which are zeros, times a factor for every place in the
    chunk.
    """
    width, steps = x.width, x.steps
    before = past(b, x, kernel // 2)
    images = b.reshape(before, (1, before.steps, 1, width))
    causal = depthwise(b, images, (kernel // 2 + 1, 1), (0, 0), WIDE_RMS)
    within = depthwise(b, b.reshape(x, (1, steps, 1, width)), (kernel, 1), (kernel // 2, 0))
    factors = b.given(b.weights.dense((1, steps, 1, width)), STEP)
    scaled = b.mul(within, factors, STEP * WIDE_RMS)
    made = b.add(causal, scaled, STEP * WIDE_RMS, float(np.hypot(WIDE_RMS, scaled.rms)))
    return b.reshape(made, x.shape)


def depthwise(
    b: GraphBuilder,
    images: Value,
    kernel: tuple[int, int],
    padding: tuple[int, int],
    rms: float = 1.0,
) -> Value:
    """DEPTHWISE_CONV_2D of (1, rows, columns, channels); `padding` down and across on each side."""
    _, rows, columns, channels = images.shape
    down, across = (
        n + 2 * beside - taps + 1
        for n, beside, taps in zip((rows, columns), padding, kernel, strict=True)
    )
    source = Value(images.index, images.shape, images.rms / rms)
    weights = b.matrix((1, *kernel, channels), kernel[0] * kernel[1], source)
    bias = b.bias(channels, images, weights)
    made = b.value((1, down, across, channels), STEP * rms, rms)
    b.append(
        DepthwiseConv2D(
            b.named("depthwise"),
            images.index,
            weights,
            bias,
            made.index,
            padding=(*padding, *padding),
        )
    )
    return made


def convnext(b: GraphBuilder, x: Value, kernel: int, ratio: int) -> Value:
    """(1, rows, columns, channels) of (1, rows + kernel // 2, columns, channels): a residual block.

    Depthwise over `kernel` rows and columns, pointwise to `ratio` times the channels, SwooshL, and
    back. The rows at the end are looked at, and come again at the start of the next call; those
    before the first row are kept from the last call.
    """
    _, rows, columns, channels = x.shape
    around = kernel // 2
    rows -= around
    scale = b.scale(x)
    shape = (1, around, columns, channels)
    state = b.state(shape, scale)
    whole = b.joined([b.read(state, shape, scale, x.rms), x], 1)
    box = Box.whole(whole.shape).cut(1, rows, around)
    kept = b.copy(whole, [(box, box.sizes)])[0]
    b.assign(state, kept)
    mixed = depthwise(b, whole, (kernel, kernel), (0, around))
    hidden = b.linear(mixed, ratio * channels, name="pointwise", rms=WIDE_RMS)
    made = b.linear(swoosh_l(b, hidden), channels, name="pointwise", rms=BRANCH_RMS)
    box = Box.whole(x.shape).cut(1, 0, rows)
    passed = b.copy(x, [(box, box.sizes)])[0]
    return b.add(passed, made, rms=float(np.hypot(x.rms, made.rms)))
