"""A Transformer block behind a gate: an arbitrator decides in every frame whether it runs.

A closed gate hands on what came in (Y. Xie et al., "Compute cost amortized Transformer for
streaming ASR", arXiv 2207.02393). What later frames see of a frame whose gate was closed is a
choice: its keys and values are WRITTEN in any case, which keeps 2 of the 12 d^2 products of a
block of width d, or SKIPPED, and the ring holds the last frames whose gates were open.
"""

from typing import Literal

from compiler.frontends.workloads.attention import attended, by_head
from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from compiler.frontends.workloads.shapes import basic_norm, swish
from npu.model.operators.gate import Gate, GateEnd

Unseen = Literal["written", "skipped"]
"""What becomes of keys and values of a frame whose gate is closed."""


def gated_block(
    b: GraphBuilder,
    x: Value,
    heads: int,
    feed_forward: int,
    left: int,
    arbitrator: int,
    unseen: Unseen,
) -> Value:
    """(1, 1, width) of (1, 1, width): attention and a feed-forward network, each a residual.

    arbitrator : units of the network that decides; its one output opens the gate at 0 or more.
    """
    x = b.rescaled(x, STEP)
    rings = None
    if unseen == "written":
        k, v = b.split(b.linear(x, 2 * x.width, name="attention memory"), 2)
        rings = b.ring(k, left), b.ring(v, left)
    _open(b, b.linear(b.linear(x, arbitrator, relu=True, name="arbitrator"), 1, name="arbitrator"))
    if rings is None:
        q, k, v = b.split(b.linear(x, 3 * x.width, name="attention in"), 3)
        rings = b.ring(k, left), b.ring(v, left)
    else:
        q = b.linear(x, x.width, name="attention in")
    keys, values = rings
    seen = attended(b, q, lambda: by_head(b, keys, heads), lambda: by_head(b, values, heads))
    found = b.add(x, b.linear(seen, x.width, name="attention out"), rms=1.2)
    hidden = swish(b, b.linear(found, feed_forward, name="feed forward"))
    found = b.add(found, b.linear(hidden, x.width, name="feed forward"), rms=1.4)
    return _joined(b, basic_norm(b, found), x)


def _open(b: GraphBuilder, logit: Value) -> None:
    """What follows runs if it is not negative."""
    b.append(Gate(b.named("gate"), logit.index))


def _joined(b: GraphBuilder, value: Value, otherwise: Value) -> Value:
    """What is behind a gate."""
    made = b.value(value.shape)
    b.append(GateEnd(b.named("gate end"), (value.index,), (otherwise.index,), (made.index,)))
    return made
