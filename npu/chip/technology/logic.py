"""The gates of a chip, from those that Yosys found in the units of two of them: `gates.json`.

`python -m rtl.synth.gates` writes the file. What a chip of other sizes has lies on the line through
the two: a unit's gates grow with the one parameter that makes it larger.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from npu.chip.params import ChipParams
from npu.chip.technology.constants import FOLDER


class UnitGates(TypedDict):
    """Gate equivalents of the units of a chip, by name, and the parameters that they grow with."""

    lanes: int
    bus_bytes: int
    vector_elements: int
    units: dict[str, int]


class GatesReport(TypedDict):
    """`gates.json`: what was synthesised, with what, and every chip's gates by its name."""

    tools: dict[str, str]
    conditions: str
    chips: dict[str, UnitGates]


MEASURED: GatesReport = json.loads((FOLDER / "gates.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Logic:
    """Gate equivalents of a chip, memories left out.

    Attributes
    ----------
    lane : of one lane.
    vector : of the vector unit.
    requantiser, sequencer, dma, control : of these units.
    collector : of the matrix-vector unit, its lanes and the requantiser left out.
    total : of the chip.
    """

    lane: float
    vector: float
    requantiser: float
    sequencer: float
    dma: float
    control: float
    collector: float
    total: float


def logic(params: ChipParams) -> Logic:
    """The gates of a chip: an estimate for one that was not synthesised."""
    lane = _on_line(params, "bus_bytes", lambda units: units["lane"])
    requantiser = _on_line(params, "bus_bytes", lambda units: units["requantiser"])
    parts = {
        "vector": _on_line(params, "vector_elements", lambda units: units["vector"]),
        "requantiser": requantiser,
        "sequencer": _on_line(params, "bus_bytes", lambda units: units["sequencer"]),
        "dma": _on_line(params, "bus_bytes", lambda units: units["dma"]),
        "control": _on_line(params, "bus_bytes", lambda units: units["control"]),
        "collector": _on_line(params, "lanes", _collector),
    }
    return Logic(lane=lane, total=params.lanes * lane + sum(parts.values()), **parts)


def _on_line(params: ChipParams, key: str, gates: Callable[[dict[str, int]], float]) -> float:
    """A unit's gates at a parameter of the chip, on the line through those that were measured."""
    (x0, y0), (x1, y1) = ((_parameter(of, key), gates(of["units"])) for of in _measured())
    return max(y0 + (y1 - y0) * (getattr(params, key) - x0) / (x1 - x0), min(y0, y1) / 2)


def _measured() -> list[UnitGates]:
    return list(MEASURED["chips"].values())


def _parameter(of: UnitGates, key: str) -> int:
    return {name: of[name] for name in ("lanes", "bus_bytes", "vector_elements")}[key]


def _collector(units: dict[str, int]) -> float:
    return units["collector"]
