"""The gates of a chip, from those that Yosys found in the units of two of them: `gates.json`.

`python -m rtl.synth.gates` writes the file. What a chip of other sizes has lies on the line through
the two: a unit's gates grow with the one parameter that makes it larger.
"""

import json
from dataclasses import dataclass
from typing import TypedDict

from npu.chip.params import ChipParams
from npu.chip.technology.constants import FOLDER

GROWS_WITH = {
    "lane": "bus_bytes",
    "requantiser": "bus_bytes",
    "matvec": "lanes",
    "vector": "vector_elements",
    "sequencer": "bus_bytes",
    "dma": "bus_bytes",
    "control": "bus_bytes",
}
"""By unit, the parameter that makes it larger."""

PARTS = ("matvec", "vector", "sequencer", "dma", "control")
"""The units that a chip is made of; lanes and requantiser are in `matvec`."""


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
    requantiser, matvec, vector, sequencer, dma, control : of these units; `matvec` holds all lanes
        and the requantiser.
    """

    lane: float
    requantiser: float
    matvec: float
    vector: float
    sequencer: float
    dma: float
    control: float

    @property
    def total(self) -> float:
        """Of the chip."""
        return sum(getattr(self, unit) for unit in PARTS)


def logic(params: ChipParams) -> Logic:
    """The gates of a chip: an estimate for one that was not synthesised."""
    return Logic(**{unit: _on_line(params, unit) for unit in GROWS_WITH})


def _on_line(params: ChipParams, unit: str) -> float:
    """A unit's gates on the line through those that were measured; never below half of them."""
    key = GROWS_WITH[unit]
    (x0, y0), (x1, y1) = (
        (_parameters(of)[key], of["units"][unit]) for of in MEASURED["chips"].values()
    )
    return max(y0 + (y1 - y0) * (getattr(params, key) - x0) / (x1 - x0), min(y0, y1) / 2)


def _parameters(of: UnitGates) -> dict[str, int]:
    return {
        "lanes": of["lanes"],
        "bus_bytes": of["bus_bytes"],
        "vector_elements": of["vector_elements"],
    }
