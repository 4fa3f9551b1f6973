"""Fewer bits where they cost least: mixed precision under a budget of bytes.

Each matrix is rounded to each number of bits by itself, all others left at eight, and the noise
that this adds to the outputs is measured. Noises of several matrices are taken to add up; from
eight bits everywhere, the step that saves most bytes for its noise is taken until the budget holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from compiler.frontends.onnx.quantised import FloatModel, Quantised, quantised_model
from compiler.quantise.weights import BITS, WeightPlan, matrices
from npu.errors import CapacityError

Cost = Callable[[np.ndarray], int]
"""Bytes of a matrix (rows, columns) int8."""


@dataclass(frozen=True)
class Choice:
    """A node's matrices at a number of bits: bytes, and what they add to the outputs' error."""

    bits: int
    n_bytes: int
    error: float


def sensitivities(
    source: FloatModel, plan: WeightPlan, cost: Cost, method: str
) -> dict[str, list[Choice]]:
    """By node, from eight bits down; errors are mean squares over the outputs' mean squares."""
    nodes = list(dict.fromkeys(matrix.node.name for matrix in matrices(source.graph)))
    whole = quantised_model(source, method, plan=replace(plan, bits=8, bits_of={}))
    base, sizes = _error(whole), _sizes(whole, cost)
    found = {}
    for node in nodes:
        choices = [Choice(8, sizes[node], 0.0)]
        for bits in BITS[1:]:
            made = quantised_model(source, method, plan=replace(plan, bits_of={node: bits}))
            choices.append(Choice(bits, _sizes(made, cost)[node], max(_error(made) - base, 0.0)))
        found[node] = choices
    return found


def within(choices: dict[str, list[Choice]], budget: int) -> dict[str, int]:
    """Bits by node, so that all matrices together take at most `budget` bytes.

    Raises CapacityError where even the fewest bits take more.
    """
    at = dict.fromkeys(choices, 0)

    def total() -> int:
        return sum(choices[node][place].n_bytes for node, place in at.items())

    while total() > budget:
        best, gain = None, -1.0
        for node, place in at.items():
            here = choices[node][place]
            for further in range(place + 1, len(choices[node])):
                there = choices[node][further]
                saved = here.n_bytes - there.n_bytes
                worth = saved / max(there.error - here.error, 1e-12)
                if saved > 0 and worth > gain:
                    best, gain = (node, further), worth
        if best is None:
            raise CapacityError(
                f"weights take {total():,} bytes with the fewest bits, more than the {budget:,} of "
                "the budget; prune them (--prune), or allow more"
            )
        at[best[0]] = best[1]
    return {node: choices[node][place].bits for node, place in at.items()}


def _error(made: Quantised) -> float:
    count = len(made.source.graph.outputs)
    return sum(each.error / max(each.signal, 1e-30) for each in made.noise()[-count:])


def _sizes(made: Quantised, cost: Cost) -> dict[str, int]:
    """Bytes of the weights by the node that they are of."""
    found: dict[str, int] = {}
    names = {matrix.node.name for matrix in matrices(made.source.graph)}
    for tensor in made.graph.tensors:
        if tensor.data is None or tensor.dtype != "int8" or tensor.data.ndim < 2:
            continue
        # A node may be called as the scope of another one.
        own = (name for name in names if tensor.name.startswith(f"{name}/"))
        node = max(own, key=len, default=None)
        if node is not None:
            matrix = tensor.data
            rows = matrix if matrix.ndim == 2 else matrix.reshape(len(matrix), -1)
            found[node] = found.get(node, 0) + cost(np.ascontiguousarray(rows))
    return found
