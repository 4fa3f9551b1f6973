"""A random model from a seed: 5 to 30 operators, in branches, with several outputs."""

import numpy as np

from tests.networks.graft import graft
from tests.networks.grow import Grower
from tests.networks.layers import LAYERS
from tests.networks.moves import MOVES
from tests.tflite_builder import ModelSpec
from tests.tflite_kinds import MAKERS

FEWEST, MOST = 5, 30
GRAFTS = 0.25
EMPTY = 0.03
UNREAD = 0.15
"""How often nobody reads what an operator gives, not even the host."""


def random_network(seed: int, number: int) -> ModelSpec:
    """The model with this number of a row that a seed begins, always the same."""
    rng = np.random.default_rng([seed, number])
    g = Grower(rng)
    for _ in range(g.number(1, 3)):
        g.input(_shape(g))
    most = int(rng.integers(FEWEST, MOST + 1 - 8))
    choices, weights = zip(*LAYERS, *MOVES, strict=True)
    shares = np.array(weights) / sum(weights)
    while len(g.model.operators) < most:
        if g.chance(GRAFTS):
            graft(g, MAKERS[str(rng.choice(sorted(MAKERS)))](rng))
        else:
            choices[int(rng.choice(len(choices), p=shares))](g, g.source())
    _outputs(g)
    return g.model


def _shape(g: Grower) -> tuple[int, ...]:
    """An image, a sequence, a vector or anything, at times with a dimension of 1."""
    image = (g.number(1, 2), g.number(1, 10), g.number(1, 10), g.number(1, 8))
    sequence = (g.number(1, 2), g.number(1, 8), g.number(1, 20))
    anything = tuple(g.number(1, 6) for _ in range(g.number(0, 5)))
    if g.chance(EMPTY):
        return tuple(n * int(g.chance(0.6)) for n in anything)
    return g.pick([image, image, image, sequence, (1, g.number(1, 60)), anything])


def _outputs(g: Grower) -> None:
    """What nobody reads, now and then less; and sometimes an input, a constant or one twice."""
    kept = [i for i in g.leaves if i not in g.model.inputs and not g.chance(UNREAD)]
    written = [i for op in g.model.operators for i in op.outputs if i in g.live]
    g.model.outputs = kept or [written[-1] if written else g.live[-1]]
    for share, more in ((0.3, written), (0.1, g.model.inputs), (0.05, g.model.outputs)):
        if more and g.chance(share):
            g.model.outputs.append(int(g.pick(more)))
    if g.chance(0.1):
        g.model.outputs.append(g.constant((g.number(1, 9),)))
    order = g.rng.permutation(len(g.model.outputs))
    g.model.outputs = [g.model.outputs[i] for i in order]
