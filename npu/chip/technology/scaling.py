"""From one node and voltage to another: the published equations of `scaling.toml`.

Between the nodes of the table the logarithm is interpolated over that of the node.
"""

import tomllib
from collections.abc import Mapping
from math import exp, log
from typing import Annotated

from pydantic import Field

from npu.chip.technology.constants import FOLDER, Sourced

_Polynomial = Annotated[list[float], Field(min_length=3, max_length=3)]


class Scaling(Sourced):
    """Energy of a gate by node as a polynomial of the voltage; area of a gate by node."""

    energy: dict[int, _Polynomial]
    area: dict[int, float]


SCALING = Scaling.model_validate(
    tomllib.loads((FOLDER / "scaling.toml").read_text(encoding="utf-8"))
)


def energy_scale(from_node: float, from_voltage: float, to_node: float, to_voltage: float) -> float:
    """What the energy of logic is multiplied with from one node and voltage to another."""
    return _energy(to_node, to_voltage) / _energy(from_node, from_voltage)


def area_scale(from_node: float, to_node: float) -> float:
    """The same for its area."""
    return interpolated(SCALING.area, to_node) / interpolated(SCALING.area, from_node)


def interpolated(values: Mapping[int, float], node: float) -> float:
    """A positive value at a node, from those of the nodes around it.

    Raises ValueError for a node outside the table.
    """
    below = max((n for n in values if n <= node), default=None)
    above = min((n for n in values if n >= node), default=None)
    if below is None or above is None:
        raise ValueError(f"a node must be {min(values)} to {max(values)} nm, not {node:g}")
    if below == above:
        return values[below]
    share = log(node / below) / log(above / below)
    return exp((1 - share) * log(values[below]) + share * log(values[above]))


def _energy(node: float, voltage: float) -> float:
    energies = {
        at: square * voltage**2 + linear * voltage + constant
        for at, (square, linear, constant) in SCALING.energy.items()
    }
    return interpolated(energies, node)
