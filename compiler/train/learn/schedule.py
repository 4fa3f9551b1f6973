"""What happens when: rates, zeros, the grid; all from the step's number."""

import math

from compiler.train.recipe import Learning, Pruning

_HELPER_FALLS = 0.3
"""Of all steps; before it the CTC helper has its first weight."""
_EVERY = 50
"""Steps from one pruning to the next."""


def rate(learning: Learning, step: int) -> float:
    """A warm-up, then half a cosine to a hundredth."""
    warm = min(1.0, (step + 1) / max(1, learning.warm_up))
    place = min(1.0, step / learning.steps)
    return learning.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * place)))


def helper_weight(learning: Learning, step: int) -> float:
    """Of the CTC loss."""
    return learning.ctc[0 if step < _HELPER_FALLS * learning.steps else 1]


def zeros(pruning: Pruning, step: int) -> float | None:
    """The share of zeros from this step on; None in a step that does not prune.

    Cubic (Zhu and Gupta 2017): many early, few late.
    """
    if not pruning.zeros or not pruning.begin <= step <= pruning.end:
        return None
    if (step - pruning.begin) % _EVERY and step != pruning.end:
        return None
    place = (step - pruning.begin) / max(1, pruning.end - pruning.begin)
    return pruning.zeros * (1 - (1 - place) ** 3)
