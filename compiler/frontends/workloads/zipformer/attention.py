"""Attention whose weights are worked out once a layer and looked through three times.

A chunk of frames looks at the last `left` frames before it and at all of itself. Frames before the
first one are hidden: their scores are lower by more than a softmax of int8 shows.
"""

import math
from dataclasses import dataclass

import numpy as np

from compiler.frontends.workloads.attention import by_head
from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from compiler.frontends.workloads.zipformer.pointwise import BRANCH_RMS
from npu.model.boxes import Box, Piece
from npu.model.operators.binary import Add, Sub
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.move import Copy
from npu.model.operators.normalise import Softmax
from npu.model.operators.product import FullyConnected

SCORE_STEP, SCORE_ZERO = 5 / 16, 63
"""Of scores with positions: -59.7 to 20. What is hidden is at the lower end."""

HIDDEN = -80.0
"""Added to scores of frames before the first one."""

SEEN_STEP = 1 / 64
"""Scale of what attention sees: a mean, of few frames at first."""


@dataclass(frozen=True)
class Heads:
    """Sizes of attention.

    Attributes
    ----------
    count : of heads.
    query, value, position : of a head: queries and keys, values, queries for positions.
    encoding : of positions before they are projected, even.
    left : frames before a chunk that are looked at, in frames of the stack.
    """

    count: int
    query: int
    value: int
    position: int
    encoding: int
    left: int


def past(b: GraphBuilder, x: Value, frames: int) -> Value:
    """(1, frames + steps, width): the last frames before this call, and those of it."""
    calls = -(-frames // x.steps)
    ring = b.ring(x, (calls + 1) * x.steps)
    spare = calls * x.steps - frames
    if not spare:
        return ring
    box = Box.whole(ring.shape).cut(1, spare, frames + x.steps)
    return b.copy(ring, [(box, box.sizes)])[0]


def hidden(b: GraphBuilder, heads: Heads, steps: int) -> Value:
    """(heads, steps, left + steps): 0 where a frame was heard, HIDDEN before the first.

    Once a call for all layers of a rate, and as large as scores, so that it is added in one go.
    """
    scale = -HIDDEN / 127
    frames = heads.left + steps
    shape = (1, 1, frames)
    state = b.state(shape, scale)
    before = b.read(state, shape, scale, -HIDDEN)
    box = Box.whole(shape).cut(2, steps, heads.left)
    ones = b.given(np.full((1, 1, steps), 127, np.int8), scale)
    seen = b.joined([*b.copy(before, [(box, box.sizes)]), ones], 2)
    b.assign(state, seen)
    all_seen = b.given(np.full((1, 1, 1), 127, np.int8), scale)
    made = b.value(shape, scale, -HIDDEN, zero_point=127)
    b.append(Sub(b.named("sub"), seen.index, all_seen.index, made.index))
    full = b.like(made, (heads.count, steps, frames))
    piece = Piece(0, 0, Box(0, full.shape, (0, 0, 1)), Box.whole(full.shape))
    b.append(Copy(b.named("copy"), (made.index,), (full.index,), (piece,)))
    return full


def attention_weights(b: GraphBuilder, x: Value, heads: Heads, mask: Value) -> Value:
    """(heads, steps, left + steps): softmax(q k + p e) of the frames of a call.

    e are projected encodings of the distance from one frame to the other. icefall divides nothing
    by the root of the size, and has it in its weights; those here are of unit size, so it is in the
    softmax.
    """
    width = heads.count * heads.query
    made = b.linear(x, 2 * width + heads.count * heads.position, name="attention in")
    rows = Box.whole(made.shape)
    by_query = Box(0, (heads.count, x.steps, heads.query), (heads.query, made.width, 1))
    keys, places = rows.cut(2, width, width), rows.cut(2, 2 * width, made.width - 2 * width)
    q, k, p = b.copy(made, [(box, box.sizes) for box in (by_query, keys, places)])
    by_content = b.value((*q.shape[:2], heads.left + x.steps), STEP * 4, heads.query**0.5)
    k = by_head(b, past(b, k, heads.left), heads.count)
    name = b.named("scores")
    b.append(BatchMatMul(name, q.index, k.index, by_content.index, transpose_b=True))
    placed = b.value(by_content.shape, SCORE_STEP, zero_point=SCORE_ZERO)
    b.append(Add(b.named("add"), _positions(b, p, heads).index, mask.index, placed.index))
    scores = b.value(by_content.shape, SCORE_STEP, by_content.rms, zero_point=SCORE_ZERO)
    b.append(Add(b.named("add"), by_content.index, placed.index, scores.index))
    shares = b.value(scores.shape, 1 / 256, 1 / scores.width, zero_point=-128)
    b.append(Softmax(b.named("softmax"), scores.index, shares.index, heads.query**-0.5))
    return shares


def _positions(b: GraphBuilder, p: Value, heads: Heads) -> Value:
    """(heads, steps, left + steps): products with what belongs to the distance of two frames.

    A product with all distances at once, of a block for each head; zeros around the blocks take no
    cycle. Frame t then picks those from -left - t on: a step to the side for each frame.
    """
    steps = p.steps
    frames = heads.left + steps
    distances = np.arange(1 - frames, steps)
    shape = (heads.count, heads.position)
    drawn = b.weights.matrix((*shape, heads.encoding)).astype(float)
    real = np.einsum("nk,hsk->hns", encodings(distances, heads.encoding), drawn)
    step = max(float(np.abs(real).max()), 1.0) / 127
    own = np.rint(real / step).astype(np.int8)
    blocks = np.zeros((heads.count, len(distances), *shape), np.int8)
    for head in range(heads.count):
        blocks[head, :, head] = own[head]
    weights = b.constant(blocks.reshape(-1, p.width), p.width, p)
    made = b.value((1, steps, heads.count * len(distances)))
    name = b.named("positions")
    b.append(FullyConnected(name, p.index, weights, None, made.index))
    strides = (len(distances), made.width - 1, 1)
    box = Box(steps - 1, (heads.count, steps, frames), strides)
    return b.copy(made, [(box, box.sizes)])[0]


def encodings(distances: np.ndarray, size: int) -> np.ndarray:
    """(distances, size): icefall's CompactRelPositionalEncoding of signed distances in frames.

    Cosines and sines of 1, 2, ... times an angle that the logarithm of the distance bends, the last
    sine replaced by 1.
    """
    root = np.sqrt(size)
    bent = root * np.sign(distances) * np.log1p(np.abs(distances) / root)
    angles = np.arctan(bent * 2 * np.pi / size)[:, np.newaxis] * np.arange(1, size // 2 + 1)
    made = np.stack([np.cos(angles), np.sin(angles)], axis=2).reshape(len(distances), size)
    made[:, -1] = 1.0
    return made


def self_attention(b: GraphBuilder, x: Value, shares: Value, heads: Heads) -> Value:
    """What the weights make of values of every head, projected."""
    v = b.linear(x, heads.count * heads.value, name="attention value")
    seen = _seen(b, shares, by_head(b, past(b, v, heads.left), heads.count))
    size = seen.width
    box = Box(0, (1, x.steps, heads.count, size), (0, size, x.steps * size, 1))
    whole = b.copy(seen, [(box, (1, x.steps, v.width))])[0]
    return b.linear(whole, x.width, name="attention out", rms=BRANCH_RMS)


def nonlinear_attention(b: GraphBuilder, x: Value, shares: Value, heads: Heads) -> Value:
    """y (A (x tanh(s))), projected; the weights A are those of the first head."""
    width = 3 * x.width // 4
    s, value, y = b.split(b.linear(x, 3 * width, name="nonlinear in"), 3)
    gated = b.mul(value, b.tanh(s), rms=0.6)
    first = Box.whole(shares.shape).cut(0, 0, 1)
    own = b.copy(shares, [(first, first.sizes)])[0]
    seen = _seen(b, own, past(b, gated, heads.left))
    return b.linear(
        b.mul(seen, y, SEEN_STEP, seen.rms), x.width, name="nonlinear out", rms=BRANCH_RMS
    )


def _seen(b: GraphBuilder, shares: Value, values: Value) -> Value:
    heads, steps, frames = shares.shape
    # Scores of unit size leave about a third of the frames to share in the mean.
    rms = min(1.0, (math.e / frames) ** 0.5) * values.rms
    made = b.value((heads, steps, values.width), SEEN_STEP, rms)
    b.append(BatchMatMul(b.named("weighted sum"), shares.index, values.index, made.index))
    return made
