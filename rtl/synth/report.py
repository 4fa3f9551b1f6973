"""What was placed and routed, as the report of `npu synth`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypedDict

from npu.chip.params import ChipParams
from npu.chip.summary import ChipSummary, summary
from rtl.shared.options import PLAIN, Options
from rtl.synth.flow import DEVICES, SPEED_GRADE
from rtl.synth.results import Result
from rtl.synth.units import CHIP


class PerLane(TypedDict):
    """LUT4 of a lane alone, and of the chip over its lanes; None for what was not placed."""

    lane: int | None
    chip: float | None


class SynthReport(TypedDict):
    """`npu synth`: a result for each unit, by the fields of `Result`."""

    chip: ChipSummary
    device: dict[str, Any]
    seeds: list[int]
    tools: dict[str, str]
    lut4_per_lane: PerLane
    units: list[dict[str, Any]]
    options: dict[str, Any]


def synth_report(
    params: ChipParams,
    device: str,
    seeds: Sequence[int],
    results: Sequence[Result],
    tools: dict[str, str],
    options: Options = PLAIN,
) -> SynthReport:
    """Every result, with the device and the versions of the tools."""
    lut4 = {result.unit: result.utilisation.lut4 for result in results}
    return {
        "chip": summary(params),
        "device": {"size": device, **asdict(DEVICES[device]), "speed_grade": SPEED_GRADE},
        "seeds": list(seeds),
        "tools": tools,
        "options": asdict(options),
        "lut4_per_lane": {
            "lane": lut4.get("lane"),
            "chip": lut4[CHIP] / params.lanes if CHIP in lut4 else None,
        },
        "units": [
            {**asdict(result), "critical_path": result.critical_path.to_dict()}
            for result in results
        ],
    }
