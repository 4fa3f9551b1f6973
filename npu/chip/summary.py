"""The chip in a few words, as JSON and as text; and all of its parameters, by one name each."""

from collections.abc import Mapping
from typing import Any, TypedDict

from npu.chip.params import ChipParams


class ChipSummary(TypedDict):
    """The chip of a report.

    Attributes
    ----------
    name : of the preset, or as its TOML file says.
    lanes, threads : of the array, and of a lane.
    clock_mhz : the clock that milliseconds are reckoned with.
    """

    name: str
    lanes: int
    threads: int
    clock_mhz: float


def summary(params: ChipParams) -> ChipSummary:
    """The chip as every JSON has it."""
    return ChipSummary(
        name=params.name,
        lanes=params.lanes,
        threads=params.threads,
        clock_mhz=params.clock_mhz,
    )


def summary_text(chip: Mapping[str, Any]) -> str:
    """The chip as every table and page has it; `chip` holds at least what a summary does."""
    lanes = f"{chip['lanes']} lane{'s' * (chip['lanes'] != 1)}"
    return f"{chip['name']} ({lanes} of {chip['threads']} threads, {chip['clock_mhz']:g} MHz)"


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A chip's values with those of its tables as "energy_pj.mac"."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found
