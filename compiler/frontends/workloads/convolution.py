"""Causal convolutions that stream, one frame a call: those of ConvRNN-T.

The local branch convolves over the last frames and over the channels beside each other; the global
one is a stack of residual blocks, whose depthwise convolutions look at frames ever further apart,
with squeeze and excitation (M. Radfar et al., arXiv 2209.14868, in the arrangement of icefall's
`conv_transducer_stateless/convrnnt.py`, its batch norms folded into what is in front of them). What
came before the first frame is zero.

Squeeze and excitation weighs channels by a mean over all of an utterance; here it is one over the
past, which fades out. The first of its two products is taken before the mean, as it may: both are
linear, and the mean is one of few channels then. That makes it an SVDF, TFLite's operator of a
product with each frame and a weighted sum over the last frames' products, with an int16 state; in
an int8 state a running mean would stand still, because what a frame changes is less than a step.
"""

from collections.abc import Sequence

import numpy as np

from compiler.frontends.workloads.graphs import HIDDEN_STEP, RELU_RMS, GraphBuilder, Value
from npu.model.activation import Activation
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D
from npu.model.operators.svdf import Svdf

TAPS = 3
"""Frames that a depthwise convolution looks at."""

STATE_STEP, WEIGHT_STEP = 2.0**-11, 2.0**-16
"""Scales of a mean's state and of its weights: a product of the two never leaves int32, as the
weights of all frames are 1 together and the state is an int16."""

LEAST_MEMORY = 9
"""Frames of a mean: of fewer, the newest would weigh more than an int16 holds."""

MEAN_RMS = 0.15


def local_convolutions(b: GraphBuilder, x: Value, kernel: int, filters: Sequence[int]) -> Value:
    """(1, 1, width) of (1, 1, width): `kernel` frames and as many channels beside each other.

    Each layer has so many filters of its own, a rectifier behind it, and the last one of a single
    filter brings the width back.
    """
    images = b.reshape(x, (1, 1, x.width, 1))
    for count in filters:
        _, _, width, channels = images.shape
        frame = b.reshape(images, (1, 1, width * channels))
        images = _convolved(
            b, b.reshape(b.ring(frame, kernel), (1, kernel, width, channels)), count, kernel
        )
    _, _, width, channels = images.shape
    weights = b.matrix((1, 1, 1, channels), channels, images)
    made = b.value((1, 1, width, 1))
    bias = b.bias(1, images, weights)
    b.append(Conv2D(b.named("conv2d"), images.index, weights, bias, made.index))
    return b.reshape(made, x.shape)


def _convolved(b: GraphBuilder, images: Value, filters: int, kernel: int) -> Value:
    """(1, 1, width, filters) of the last `kernel` frames; beside the outer channels are zeros."""
    _, _, width, channels = images.shape
    weights = b.matrix((filters, kernel, kernel, channels), kernel * kernel * channels, images)
    bias = b.bias(filters, images, weights)
    made = b.value((1, 1, width, filters), rms=RELU_RMS)
    beside = (0, kernel // 2, 0, kernel // 2)
    b.append(
        Conv2D(
            b.named("conv2d"),
            images.index,
            weights,
            bias,
            made.index,
            padding=beside,
            activation=Activation.RELU,
        )
    )
    return made


def global_convolution(
    b: GraphBuilder, x: Value, dilation: int, squeezed: int, memory: int
) -> Value:
    """A residual block: pointwise to twice the width, depthwise, pointwise, squeeze and excitation.

    dilation : frames from one that the depthwise convolution looks at to the next.
    squeezed, memory : as `excitation` takes them.
    """
    wide = b.linear(x, 2 * x.width, relu=True, name="pointwise")
    frames = (TAPS - 1) * dilation + 1
    # Two channels of the wide one make one: they lie beside each other as the rows of an image.
    images = b.reshape(b.ring(wide, frames), (1, frames, 2, x.width))
    weights = b.matrix((1, TAPS, 2, x.width), TAPS * 2, images)
    bias = b.bias(x.width, images, weights)
    made = b.value((1, 1, 1, x.width), rms=RELU_RMS)
    b.append(
        DepthwiseConv2D(
            b.named("depthwise"),
            images.index,
            weights,
            bias,
            made.index,
            dilation=(dilation, 1),
            activation=Activation.RELU,
        )
    )
    value = b.linear(b.reshape(made, x.shape), x.width, name="pointwise")
    gated = b.mul(value, excitation(b, value, squeezed, memory), rms=0.5)
    return b.add(x, gated, rms=1.1)


def excitation(b: GraphBuilder, x: Value, squeezed: int, memory: int) -> Value:
    """What every channel of this frame is multiplied by: (1, 1, width), between 0 and 1.

    sigmoid(E relu(mean(S x))) with matrices S of (squeezed, width) and E of (width, squeezed), and
    the mean of the last `memory` frames, as `fading` weighs them.
    """
    frame = b.reshape(x, (1, x.width))
    over_time = np.tile(fading(memory), (squeezed, 1))
    made = b.value((1, squeezed), HIDDEN_STEP / 2, MEAN_RMS, zero_point=-128)
    b.append(
        Svdf(
            b.named("squeeze"),
            frame.index,
            b.matrix((squeezed, x.width), x.width, x),
            b.tensor(over_time.shape, WEIGHT_STEP, "int16", data=over_time),
            b.tensor(
                (squeezed,),
                STATE_STEP * WEIGHT_STEP,
                "int32",
                data=np.zeros(squeezed, np.int32),
            ),
            b.state((1, squeezed * memory), STATE_STEP, "int16"),
            made.index,
        )
    )
    return b.logistic(b.linear(b.reshape(made, (1, 1, squeezed)), x.width, name="excite"))


def fading(memory: int) -> np.ndarray:
    """(memory,) int16: the weights of the last frames in steps of WEIGHT_STEP, the newest last.

    Each is 1 - 4 / memory of the one behind it, and all are 1 together but for what rounding down
    leaves: an exponential mean, cut off where a frame counts less than a fiftieth of the newest.
    Raises ValueError for fewer than LEAST_MEMORY frames.
    """
    if memory < LEAST_MEMORY:
        raise ValueError(f"memory must be at least {LEAST_MEMORY} frames, not {memory}")
    powers = (1 - 4 / memory) ** np.arange(memory - 1, -1, -1)
    return np.floor(powers / powers.sum() / WEIGHT_STEP).astype(np.int16)
