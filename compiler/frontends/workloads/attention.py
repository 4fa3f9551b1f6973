"""A Conformer block that streams: one frame a call, with the keys and values of the last frames.

Frames outside of the left context are forgotten, those before the first one are zeros and are
looked at like others. Each part is a residual: half of a feed-forward network, attention, the
convolution, the other half (A. Gulati et al., arXiv 2005.08100, in the arrangement of icefall's
`pruned_transducer_stateless5/conformer.py`: no norm before each part, one behind the last).

Relative positions (Z. Dai et al., arXiv 1901.02860): with one query a call, which is the newest
frame, the projected position of every key is the same in every call, so the product of the query
with all of them is one with constant weights, of a block for each head. Zeros around the blocks
take no cycle.
"""

from collections.abc import Callable

import numpy as np

from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from compiler.frontends.workloads.shapes import basic_norm, swish
from npu.model.boxes import Box
from npu.model.operators.convolution import DepthwiseConv2D
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.normalise import Softmax


def conformer_block(
    b: GraphBuilder, x: Value, heads: int, feed_forward: int, kernel: int, left: int
) -> Value:
    """(1, 1, width) of (1, 1, width); `left` frames are looked at, the newest among them."""
    x = b.add(x, _feed_forward(b, x, feed_forward), rms=1.2)
    x = b.add(x, attention(b, x, heads, left), rms=1.2)
    x = b.add(x, _convolution(b, x, kernel), rms=1.3)
    x = b.add(x, _feed_forward(b, x, feed_forward), rms=1.4)
    return basic_norm(b, x)


def _feed_forward(b: GraphBuilder, x: Value, width: int) -> Value:
    return b.linear(swish(b, b.linear(x, width, name="feed forward")), x.width)


def attention(b: GraphBuilder, x: Value, heads: int, left: int) -> Value:
    """softmax((q + u) K + (q + v) P) V of the last frames, projected; u and v are biases."""
    q, k, v = b.split(b.linear(x, 3 * x.width, name="attention in"), 3)
    seen = attended(
        b, q, lambda: by_head(b, b.ring(k, left), heads), lambda: by_head(b, b.ring(v, left), heads)
    )
    return b.linear(seen, x.width, name="attention out")


def attended(
    b: GraphBuilder, q: Value, keys: Callable[[], Value], values: Callable[[], Value]
) -> Value:
    """(1, 1, width) that a frame's query, (1, 1, width), sees; keys and values as `by_head` gives
    them, made where they are looked at."""
    by_content = _scores(b, q, keys())
    heads, _, left = by_content.shape
    size = q.width // heads
    blocks = np.zeros((heads, left, heads, size), np.int8)
    for head in range(heads):
        blocks[head, :, head] = b.weights.matrix((left, size))
    weighted = b.weighted(q, heads * left, data=blocks.reshape(heads * left, -1))
    positions = b.reshape(b.product(q, weighted, name="positions"), (heads, 1, left))
    scores = b.add(by_content, positions)
    shares = b.value(scores.shape, 1 / 256, 1 / left, zero_point=-128)
    b.append(Softmax(b.named("softmax"), scores.index, shares.index, size**-0.5))
    seen = _weighted_sum(b, shares, values())
    return b.reshape(seen, (1, 1, q.width))


def by_head(b: GraphBuilder, ring: Value, heads: int) -> Value:
    """(heads, left, size) of the last frames, (1, left, width), the oldest first.

    One ring and one walk over it: a ring for each head would take fewer cycles and many more
    commands.
    """
    _, left, width = ring.shape
    size = width // heads
    box = Box(0, (heads, left, size), (size, width, 1))
    return b.copy(ring, [(box, (heads, left, size))])[0]


def _scores(b: GraphBuilder, q: Value, keys: Value) -> Value:
    heads, frames, size = keys.shape
    own = b.reshape(q, (heads, 1, size))
    made = b.value((heads, 1, frames), STEP * 4, float(np.sqrt(size)))
    name = b.named("scores")
    b.append(BatchMatMul(name, own.index, keys.index, made.index, transpose_b=True))
    return made


def _weighted_sum(b: GraphBuilder, shares: Value, values: Value) -> Value:
    heads, _, size = values.shape
    made = b.value((heads, 1, size), STEP)
    b.append(BatchMatMul(b.named("weighted sum"), shares.index, values.index, made.index))
    return made


def _convolution(b: GraphBuilder, x: Value, kernel: int) -> Value:
    """Pointwise to two halves, one gated by the other, the last frames by channel, pointwise."""
    value, gate = b.split(b.linear(x, 2 * x.width, name="convolution in"), 2)
    gated = b.mul(value, b.logistic(gate), rms=0.5)
    ring = b.reshape(b.ring(gated, kernel), (1, kernel, 1, x.width))
    weights = b.matrix((1, kernel, 1, x.width), kernel, ring)
    bias = b.bias(x.width, ring, weights)
    made = b.value((1, 1, 1, x.width))
    b.append(DepthwiseConv2D(b.named("depthwise"), ring.index, weights, bias, made.index))
    return b.linear(swish(b, b.reshape(made, (1, 1, x.width))), x.width)
