"""Functions of single frames: Swoosh, BiasNorm, the bypass, and the feed-forward network."""

import numpy as np

from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from npu.model.operators.reduce import Mean
from npu.model.operators.table import Lookup, Rsqrt

STREAM_STEP = 1 / 20
"""Scale of what goes from part to part: sums of several branches, -6.4 to 6.35."""

BRANCH_RMS = 0.5
"""Of what a part adds to the stream."""

WIDE_RMS = 2.0
"""Of what goes into Swoosh, which is nearly straight where values are small."""

SQUARES, MEANS, ROOTS = 12 / 127, 4 / 127, 3 / 127
"""Scales in a norm of values of unit size: of squares, of their mean, and of its root's reciprocal,
of values a third as large and larger."""

BIAS_STEP = 1 / 256

SPREAD = 1.25
"""How much larger inputs of Swoosh may be than what they were meant to be."""


def swoosh_l(b: GraphBuilder, x: Value) -> Value:
    """log(1 + exp(x - 4)) - 0.08 x - 0.035."""
    return _swoosh(b, x, 4.0, 0.035)


def swoosh_r(b: GraphBuilder, x: Value) -> Value:
    """log(1 + exp(x - 1)) - 0.08 x - log(1 + 1 / e), which is 0 at 0."""
    return _swoosh(b, x, 1.0, float(np.log1p(np.exp(-1.0))))


def _swoosh(b: GraphBuilder, x: Value, shift: float, offset: float) -> Value:
    """By a table; the scale is that of its largest entry, the size that of normal inputs.

    They are taken to be a bit larger than is said: what random filters make of frames that are
    alike varies, and Swoosh raises large values more than small ones.
    """
    real = b.scale(x) * np.arange(-128, 128)
    answers = np.logaddexp(0, real - shift) - 0.08 * real - offset
    scale = float(np.abs(answers).max()) / 127
    table = np.rint(answers / scale).astype(np.int8)
    density = np.exp(-0.5 * np.square(real / (SPREAD * x.rms)))
    rms = float(np.sqrt((density * np.square(answers)).sum() / density.sum()))
    made = b.value(x.shape, scale, rms)
    b.append(Lookup(b.named("swoosh"), x.index, made.index, table.tobytes()))
    return made


def bias_norm(b: GraphBuilder, x: Value) -> Value:
    """f x / sqrt(mean((x - bias)^2)) along the last axis; f, which training finds, is 1."""
    bias = b.given(b.weights.dense((x.width,)), BIAS_STEP)
    apart = b.sub(x, bias, b.scale(x), x.rms)
    square = x.rms**2
    squares = b.mul(apart, apart, SQUARES * square, square)
    mean = b.value((*x.shape[:-1], 1), MEANS * square, square)
    b.append(Mean(b.named("mean"), squares.index, mean.index, (len(x.shape) - 1,)))
    root = b.value(mean.shape, ROOTS / x.rms, 1 / x.rms)
    b.append(Rsqrt(b.named("rsqrt"), mean.index, root.index))
    factor = b.given(np.full((1,), 127, np.int8), 1 / 127)
    return b.mul(x, b.mul(root, factor, b.scale(root), root.rms), STREAM_STEP)


def bypass(b: GraphBuilder, x: Value, passed: Value, rms: float = 1.0) -> Value:
    """x + f (passed - x), with a factor f of 0 to 1 for each channel."""
    drawn = b.weights.dense((x.width,)).astype(float)
    factors = b.given((64 + np.trunc(drawn / 2)).astype(np.int8), 1 / 127)
    apart = b.sub(passed, x, STREAM_STEP, rms)
    return b.add(x, b.mul(apart, factors, STREAM_STEP, 0.5 * rms), STREAM_STEP, rms)


def feed_forward(b: GraphBuilder, x: Value, width: int) -> Value:
    """Two products with SwooshL between them."""
    hidden = b.linear(x, width, name="feed forward", rms=WIDE_RMS)
    return b.linear(swoosh_l(b, hidden), x.width, name="feed forward", rms=BRANCH_RMS)


def added(b: GraphBuilder, x: Value, branch: Value) -> Value:
    """The stream with what a part makes of it."""
    return b.add(x, branch, STREAM_STEP, float(np.hypot(x.rms, branch.rms)))


def streamed(b: GraphBuilder, x: Value) -> Value:
    """A value in the stream's scale."""
    return b.rescaled(x, STREAM_STEP)


def halved(value: Value) -> float:
    """The scale of products with something between 0 and 1."""
    return STEP * value.rms * 0.6
