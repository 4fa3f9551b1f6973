"""Which points are worth a look: those that no other one beats.

A point beats another one that is nowhere better and somewhere worse, in latency, energy, area,
memory and accuracy, as far as they are known. Points whose weights differ answer differently; where
nobody knows how well, neither beats the other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npu.sweep.weights import MAX_BITS, Thinning

SMALL = ("latency_ms", "energy_uj", "area_mm2", "on_chip_bytes")
"""What is better where it is less."""
LARGE = ("accuracy",)

Row = Mapping[str, Any]


def worked(rows: Sequence[Row]) -> list[Row]:
    """Those that did not fail."""
    return [row for row in rows if row.get("error") is None]


def thinning_of(row: Row) -> Thinning:
    """What was done to a row's weights."""
    return Thinning(row.get("sparsity"), row.get("bits"))


def weights_name(row: Row) -> str:
    """What was done to a row's weights, in words."""
    thinning = thinning_of(row)
    parts = []
    if thinning.sparsity:
        parts.append(f"{100 * thinning.sparsity:g}% zeros")
    if thinning.bits not in (None, MAX_BITS):
        parts.append(f"{thinning.bits} bits")
    return ", ".join(parts) or "as trained"


def front(rows: Sequence[Row]) -> list[Row]:
    """The rows that no other one beats, in their order; of equal ones the first."""
    groups: dict[Any, list[int]] = {}
    for place, row in enumerate(rows):
        if row.get("error") is None:
            groups.setdefault(_kind(row), []).append(place)
    found: list[int] = []
    for places in groups.values():
        costs = np.array([_costs(rows[place]) for place in places])
        found += [places[i] for i in unbeaten(costs)]
    return [rows[place] for place in sorted(found)]


def unbeaten(costs: np.ndarray) -> list[int]:
    """The rows of (points, costs) that no other row beats, of equal ones the first."""
    keep: list[int] = []
    # Whoever beats a row stands before it.
    for place in np.lexsort(costs.T[::-1]):
        if not keep or not (costs[keep] <= costs[place]).all(axis=1).any():
            keep.append(int(place))
    return sorted(keep)


def _kind(row: Row) -> Any:
    """What rows have alike that can be compared."""
    if row.get("accuracy") is not None:
        return "known"
    return row["model"], weights_name(row)


def _costs(row: Row) -> list[float]:
    small = [row.get(name) for name in SMALL]
    large = [row.get(name) for name in LARGE]
    found = [0.0 if value is None else float(value) for value in small]
    return [*found, *(0.0 if value is None else -float(value) for value in large)]
