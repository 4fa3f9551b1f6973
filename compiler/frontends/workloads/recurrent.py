"""An LSTM with a projection, in primitives: TFLite's integer LSTM has none.

    i, f, g, o = W x + R h + b        c = f c + i g        h = P (o tanh(c))

with sigmoids of i, f, o and the hyperbolic tangent of g (H. Sak, A. Senior, F. Beaufays, "Long
short-term memory recurrent neural network architectures for large scale acoustic modeling",
Interspeech 2014). All of it is in TFLite's int8 operators, the cell state too, which is between -4
and 4: ADD and MUL of TensorFlow Lite Micro take int8. The product with the inputs knows no state
and is one for all steps of a call.
"""

from compiler.frontends.workloads.graphs import HIDDEN_RMS, HIDDEN_STEP, STEP, GraphBuilder, Value
from compiler.frontends.workloads.shapes import swish

GATES = 4
CELL_RMS = 0.7


def projected_lstm(b: GraphBuilder, source: Value, units: int, projection: int) -> Value:
    """(1, steps, projection) of (1, steps, width); both states are variables of the graph."""
    from_input = b.linear(source, GATES * units, name="lstm input")
    hidden, cell = b.state((1, 1, projection), STEP), b.state((1, 1, units), STEP)
    h = b.read(hidden, (1, 1, projection), STEP, 1.0)
    c = b.read(cell, (1, 1, units), STEP, CELL_RMS)
    recurrent = b.weighted(h, GATES * units)
    projected = None
    steps = []
    for index in range(source.steps):
        from_hidden = b.product(h, recurrent, name="lstm recurrent")
        gates = b.split(b.add(b.step(from_input, index), from_hidden), GATES)
        i, f, o = (b.logistic(gate) for gate in (gates[0], gates[1], gates[3]))
        kept, fresh = b.mul(f, c, rms=CELL_RMS), b.mul(i, b.tanh(gates[2]), rms=0.3)
        c = b.add(kept, fresh, rms=CELL_RMS)
        m = b.mul(o, b.tanh(c), HIDDEN_STEP, HIDDEN_RMS)
        projected = projected or b.weighted(m, projection)
        h = b.product(m, projected, name="lstm projection")
        steps.append(h)
    b.assign(cell, c)
    b.assign(hidden, h)
    return b.joined(steps, 1)


def lstms(b: GraphBuilder, x: Value, layers: int, units: int, feed_forward: int) -> Value:
    """(1, steps, width) of (1, steps, width): LSTMs, each with the same feed-forward network behind
    it, whose weights are there once."""
    width = x.width
    into = out = None
    for _ in range(layers):
        h = b.lstm(x, units)
        into = into or b.weighted(h, feed_forward)
        hidden = swish(b, b.product(h, into, name="feed forward"))
        out = out or b.weighted(hidden, width)
        x = b.product(hidden, out, name="feed forward")
    return x
