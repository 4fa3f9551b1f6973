"""One layer of a Zipformer."""

from compiler.frontends.workloads.graphs import GraphBuilder, Value
from compiler.frontends.workloads.zipformer.attention import (
    Heads,
    attention_weights,
    nonlinear_attention,
    self_attention,
)
from compiler.frontends.workloads.zipformer.convolution import convolution
from compiler.frontends.workloads.zipformer.pointwise import (
    added,
    bias_norm,
    bypass,
    feed_forward,
)


def layer(b: GraphBuilder, x: Value, heads: Heads, width: int, kernel: int, mask: Value) -> Value:
    """(1, steps, channels) of the same: two halves with a bypass around the first and around both.

    The attention weights of what comes in serve both halves. The three feed-forward networks are
    3/4, 1 and 5/4 of `width`.
    """
    shares = attention_weights(b, x, heads, mask)
    y = added(b, x, feed_forward(b, x, width * 3 // 4))
    y = added(b, y, nonlinear_attention(b, y, shares, heads))
    y = added(b, y, self_attention(b, y, shares, heads))
    y = added(b, y, convolution(b, y, kernel))
    y = added(b, y, feed_forward(b, y, width))
    y = bypass(b, x, y, 1.2)
    y = added(b, y, self_attention(b, y, shares, heads))
    y = added(b, y, convolution(b, y, kernel))
    y = added(b, y, feed_forward(b, y, width * 5 // 4))
    return bypass(b, x, bias_norm(b, y))
