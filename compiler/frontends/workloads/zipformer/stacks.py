"""A Zipformer's stacks of layers at their frame rates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.frontends.workloads.graphs import GraphBuilder, Value
from compiler.frontends.workloads.zipformer.attention import Heads, hidden
from compiler.frontends.workloads.zipformer.layer import layer
from compiler.frontends.workloads.zipformer.pointwise import STREAM_STEP, bypass, streamed
from npu.model.boxes import Box, Piece
from npu.model.operators.move import Copy
from npu.model.operators.reduce import Sum


@dataclass(frozen=True)
class Stack:
    """Layers of one rate, as a row of `workloads.json` has them.

    Attributes
    ----------
    layers : how many.
    every : one frame for so many of the encoder's; divides the frames of a call and `left`.
    width : channels.
    feed_forward : channels of the second feed-forward network.
    heads : of attention.
    kernel : frames of the convolution within a chunk, odd.
    """

    layers: int
    every: int
    width: int
    feed_forward: int
    heads: int
    kernel: int


def zipformer(
    b: GraphBuilder, x: Value, left: int, head: Sequence[int], stacks: Sequence[Sequence[int]]
) -> Value:
    """(1, steps, widest) of (1, steps, width): all stacks, each with its channels of the last one.

    left : frames before a chunk that attention looks at. head : sizes of a head's queries, values
    and queries for positions, and of the encodings of positions. stacks : as `Stack` takes them.
    """
    query, value, position, encoding = head
    x = streamed(b, x)
    masks: dict[Heads, Value] = {}
    made: list[Value] = []
    for stack in (Stack(*row) for row in stacks):
        every = stack.every
        heads = Heads(stack.heads, query, value, position, encoding, left // every)
        if heads not in masks:
            masks[heads] = hidden(b, heads, x.steps // every)
        x = _channels(b, x, stack.width)
        y = downsample(b, x, every) if every > 1 else x
        for _ in range(stack.layers):
            y = layer(b, y, heads, stack.feed_forward, stack.kernel, masks[heads])
        x = bypass(b, x, _upsampled(b, y, every)) if every > 1 else y
        made.append(x)
    return _widest(b, made)


def downsample(b: GraphBuilder, x: Value, every: int) -> Value:
    """One frame of `every`, a mean with weights of their own, which are 1 together."""
    drawn = np.exp(b.weights.dense((every,)) / 64)
    shares = drawn / drawn.sum()
    step = float(shares.max()) / 127
    weights = b.given(np.rint(shares / step).astype(np.int8)[:, np.newaxis], step)
    frames = b.reshape(x, (1, x.steps // every, every, x.width))
    weighed = b.mul(frames, weights, STREAM_STEP * float(shares.max()), x.rms / every)
    made = b.value((1, x.steps // every, x.width), STREAM_STEP, x.rms)
    b.append(Sum(b.named("sum"), weighed.index, made.index, (2,)))
    return made


def _upsampled(b: GraphBuilder, x: Value, every: int) -> Value:
    """Each frame `every` times."""
    box = Box(0, (x.steps, every, x.width), (x.width, 0, 1))
    return b.copy(x, [(box, (1, x.steps * every, x.width))])[0]


def _channels(b: GraphBuilder, x: Value, width: int) -> Value:
    """The first channels, or all and zeros behind them."""
    if width == x.width:
        return x
    if width < x.width:
        return _cut(b, x, 0, width)
    made = b.like(x, (1, x.steps, width))
    read, written = Box.whole(x.shape), Box.whole(made.shape).cut(2, 0, x.width)
    b.append(Copy(b.named("pad"), (x.index,), (made.index,), (Piece(0, 0, read, written),), 0))
    return made


def _cut(b: GraphBuilder, x: Value, first: int, end: int) -> Value:
    box = Box.whole(x.shape).cut(2, first, end - first)
    return b.copy(x, [(box, box.sizes)])[0]


def _widest(b: GraphBuilder, made: Sequence[Value]) -> Value:
    """The last stack's channels, behind them those that only earlier ones have, newest first."""
    pieces = [made[-1]]
    width = made[-1].width
    for earlier in reversed(made[:-1]):
        if earlier.width > width:
            pieces.append(_cut(b, earlier, width, earlier.width))
            width = earlier.width
    return b.joined(pieces, 2)
