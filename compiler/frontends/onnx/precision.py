"""Fewer bits where they cost least: mixed precision under a budget, of bytes or of time.

Each matrix is rounded to each number of bits by itself, all others left at eight, and the noise
that this adds to the outputs is measured. Noises of several matrices are taken to add up, and so is
what they save; from eight bits everywhere, the step that saves most for its noise is taken until
the budget holds. Then the model is made and measured: what was saved too little is taken off the
budget, and the bits are chosen again.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from compiler.frontends.onnx.quantised import FloatModel, Quantised, quantised_model
from compiler.quantise.weights import BITS, WeightPlan, matrices
from npu.errors import CapacityError

_ROUNDS = 8
"""Of choosing again."""


class Cost(Protocol):
    """What there is a budget of."""

    unit: str

    def whole(self, made: Quantised) -> float:
        """Of a model."""

    def of(self, made: Quantised, nodes: Collection[str]) -> dict[str, float]:
        """By node, the part of it that changes with the bits of its weights, or more than that."""


@dataclass(frozen=True)
class Bytes:
    """Of all weights together.

    Attributes
    ----------
    matrix : bytes of a matrix (rows, columns) int8.
    """

    matrix: Callable[[np.ndarray], int]
    unit = "bytes"

    def whole(self, made: Quantised) -> float:
        return sum(self.of(made, _nodes(made.source)).values())

    def of(self, made: Quantised, nodes: Collection[str]) -> dict[str, float]:
        found: dict[str, float] = {}
        names = _nodes(made.source)
        for tensor in made.graph.tensors:
            if tensor.data is None or tensor.dtype != "int8" or tensor.data.ndim < 2:
                continue
            # A node may be called as the scope of another one.
            own = (name for name in names if tensor.name.startswith(f"{name}/"))
            node = max(own, key=len, default=None)
            if node is not None and node in nodes:
                matrix = tensor.data
                rows = matrix if matrix.ndim == 2 else matrix.reshape(len(matrix), -1)
                found[node] = found.get(node, 0) + self.matrix(np.ascontiguousarray(rows))
        return found


@dataclass(frozen=True)
class Milliseconds:
    """Of a call.

    Attributes
    ----------
    call : of a model.
    """

    call: Callable[[Quantised], float]
    unit = "ms"

    def whole(self, made: Quantised) -> float:
        return self.call(made)

    def of(self, made: Quantised, nodes: Collection[str]) -> dict[str, float]:
        return dict.fromkeys(nodes, self.call(made))


@dataclass(frozen=True)
class Choice:
    """A node's matrices at a number of bits: what that saves, and adds to the outputs' error."""

    bits: int
    saved: float
    error: float


def chosen(
    source: FloatModel, plan: WeightPlan, cost: Cost, budget: float, method: str
) -> dict[str, int]:
    """Bits by node, so that the model takes at most the budget.

    Raises CapacityError where even the fewest bits take more.
    """
    whole, choices = sensitivities(source, plan, cost, method)
    goal = budget
    for _ in range(_ROUNDS):
        bits = within(choices, whole, goal, cost.unit)
        made = quantised_model(source, method, plan=replace(plan, bits_of=bits))
        taken = cost.whole(made)
        if taken <= budget:
            return bits
        goal -= taken - budget
    raise CapacityError(
        f"with the bits that were chosen a model takes {_shown(taken, cost.unit)}, more than the "
        f"budget of {_shown(budget, cost.unit)}; prune weights (--prune), or allow more"
    )


def sensitivities(
    source: FloatModel, plan: WeightPlan, cost: Cost, method: str
) -> tuple[float, dict[str, list[Choice]]]:
    """What eight bits take, and by node the choices from there down.

    Errors are mean squares over the outputs' mean squares.
    """
    whole = quantised_model(source, method, plan=replace(plan, bits=8, bits_of={}))
    base, found = _error(whole), {}
    for node, before in cost.of(whole, _nodes(source)).items():
        choices = [Choice(8, 0.0, 0.0)]
        for bits in BITS[1:]:
            made = quantised_model(source, method, plan=replace(plan, bits_of={node: bits}))
            saved = before - cost.of(made, [node])[node]
            choices.append(Choice(bits, saved, max(_error(made) - base, 0.0)))
        found[node] = choices
    return cost.whole(whole), found


def within(
    choices: dict[str, list[Choice]], whole: float, budget: float, unit: str
) -> dict[str, int]:
    """Bits by node, so that of what eight bits take, `whole`, at most `budget` is left.

    Raises CapacityError where even the fewest bits leave more.
    """
    at = dict.fromkeys(choices, 0)

    def total() -> float:
        return whole - sum(choices[node][place].saved for node, place in at.items())

    while total() > budget:
        best, gain = None, -1.0
        for node, place in at.items():
            here = choices[node][place]
            for further in range(place + 1, len(choices[node])):
                there = choices[node][further]
                saved = there.saved - here.saved
                worth = saved / max(there.error - here.error, 1e-12)
                if saved > 0 and worth > gain:
                    best, gain = (node, further), worth
        if best is None:
            raise CapacityError(
                f"it takes {_shown(total(), unit)} with the bits that save most, more than the "
                f"{_shown(budget, unit)} of the budget; prune weights (--prune), or allow more"
            )
        at[best[0]] = best[1]
    return {node: choices[node][place].bits for node, place in at.items()}


def _nodes(source: FloatModel) -> list[str]:
    return list(dict.fromkeys(matrix.node.name for matrix in matrices(source.graph)))


def _shown(value: float, unit: str) -> str:
    return f"{value:,.{0 if unit == Bytes.unit else 4}f} {unit}"


def _error(made: Quantised) -> float:
    count = len(made.source.graph.outputs)
    return sum(each.error / max(each.signal, 1e-30) for each in made.noise()[-count:])
