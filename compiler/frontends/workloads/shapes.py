"""Functions of activations in TFLite's int8 operators: swish, and the norms without a mean."""

from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from npu.model.operators.reduce import Mean
from npu.model.operators.table import Rsqrt

SQUARE_STEP = 1 / 8
"""Scale of squares: up to 16."""


def swish(b: GraphBuilder, value: Value) -> Value:
    """x sigmoid(x). icefall's DoubleSwish, x sigmoid(x - 1), differs by a bias."""
    return b.mul(value, b.logistic(value), rms=0.6)


def basic_norm(b: GraphBuilder, value: Value) -> Value:
    """x / sqrt(mean(x^2)) along the last axis: icefall's BasicNorm without its learnt epsilon."""
    squares = b.mul(value, value, SQUARE_STEP)
    mean = b.value((*value.shape[:-1], 1), STEP)
    axes = (len(value.shape) - 1,)
    b.append(Mean(b.named("mean"), squares.index, mean.index, axes))
    root = b.value(mean.shape, STEP)
    b.append(Rsqrt(b.named("rsqrt"), mean.index, root.index))
    return b.mul(value, root)
