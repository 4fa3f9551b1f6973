"""Measure blocks behind gates and write `reports/gates.json` and `gates.md`:

python -m reports.gates           # measures, some ten minutes on two cores
python -m reports.gates --page    # writes the page again from the last run

Every point is a process, `npu latency` of an image that `npu compile` wrote.
"""

import json
import sys
from math import ceil, floor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from compiler.frontends.workloads import PREFIX, published
from npu.analysis.gates import gates_of
from npu.analysis.process import run_npu
from npu.files import write_atomic
from npu.runtime.image import Image
from reports.workloads import LARGER

PAGE = Path(__file__).with_name("gates.md")
RUN = Path(__file__).with_name("gates.json")

WORKLOADS = ("gated_transformer", "gated_transformer_skipped")
SPARSITY = 0.75
CHIP = LARGER
FRAMES = 4
RATES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the gates that are open."""


class Point(TypedDict):
    """A workload with so many of its gates open; figures are those of a frame, in the mean.

    Attributes
    ----------
    moved_bytes : over the external bus.
    """

    workload: str
    gates: int
    open: int
    cycles: float
    ms: float
    vector_cycles: float
    macs: float
    moved_bytes: float
    energy_uj: float


def measure() -> list[Point]:
    """Every workload with every number of open gates that a rate needs."""
    points = []
    with TemporaryDirectory(prefix="zeroskip-") as place:
        for name in WORKLOADS:
            image = Path(place, f"{name}.npu")
            asked = f"{PREFIX}{name},sparsity={SPARSITY}"
            run_npu("compile", asked, "--chip", CHIP, "-o", str(image))
            points += points_of(name, image)
    return points


def points_of(name: str, image: Path) -> list[Point]:
    """Of one workload, compiled."""
    count = len(gates_of(Image.load(image)))
    wanted = sorted({end(rate * count) for rate in RATES for end in (floor, ceil)})
    points: list[Point] = []
    with TemporaryDirectory(prefix="zeroskip-") as place:
        report = Path(place, "report.json")
        for number in wanted:
            asked = ["--open-gates", str(number), "--frames", str(FRAMES)]
            run_npu("latency", str(image), *asked, "--json", str(report))
            total = json.loads(report.read_text(encoding="utf-8"))["total"]
            moved = total["memory_bytes"]
            points.append(
                {
                    "workload": name,
                    "gates": count,
                    "open": number,
                    "cycles": total["cycles"],
                    "ms": total["ms"],
                    "vector_cycles": total["causes"]["vector"],
                    "macs": total["macs"],
                    "moved_bytes": moved["external read"] + moved["external written"],
                    "energy_uj": total["energy_uj"]["total"],
                }
            )
            print(json.dumps(points[-1]), flush=True)
    return points


def at_rate(points: list[Point], name: str, rate: float, figure: str) -> float:
    """A figure of a workload with such a share of its gates open: between two numbers of them, the
    mean that frames have which have one or the other in that ratio."""
    own = {point["open"]: point for point in points if point["workload"] == name}
    wanted = rate * next(iter(own.values()))["gates"]
    low, high = (dict(own[end(wanted)])[figure] for end in (floor, ceil))
    assert isinstance(low, int | float) and isinstance(high, int | float)
    return low + (wanted - floor(wanted)) * (high - low)


def page(points: list[Point]) -> str:
    """The page as Markdown, from what was measured."""
    lines = [
        "# Blocks behind gates",
        "",
        (
            "Written by `python -m reports.gates`. An arbitrator decides in every frame for each of"
            f" {points[0]['gates']} Transformer blocks whether it runs"
            " ([0024](../npu/design/0024-gates-are-branches-in-a-graph.md)); `npu latency"
            f" workload:NAME --sparsity {SPARSITY} --chip {CHIP} --open-gates N` gives every"
            " figure."
            " Frames are of 40 ms and random, symbols those that they give. Where a rate is no"
            " whole number of gates, figures lie between those of the two next to it."
        ),
        "",
        (
            "| keys and values of gated frames | gates open | cycles a frame | of all open | ms |"
            " vector unit, cycles | MACs | moved a frame | uJ | of all open |"
        ),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in WORKLOADS:
        for rate in RATES:
            lines.append(_line(points, name, rate))
    lines += ["", *_told(points), "", "## What they are", ""]
    for name in WORKLOADS:
        entry = published()[name]
        lines += [f"- `{PREFIX}{name}`: {entry['title']}"]
        lines += [f"  - differs: {each}" for each in entry["differs"]]
    return "\n".join(lines) + "\n"


def _line(points: list[Point], name: str, rate: float) -> str:
    def of(figure: str, at: float = rate) -> float:
        return at_rate(points, name, at, figure)

    unseen = "skipped" if name.endswith("skipped") else "written"
    cycles, energy = of("cycles"), of("energy_uj")
    return (
        f"| {unseen} | {rate:.0%} | {cycles:,.0f} | {cycles / of('cycles', 1.0):.1%} |"
        f" {of('ms'):.3f} | {of('vector_cycles'):,.0f} | {of('macs'):,.0f} |"
        f" {of('moved_bytes'):,.0f} | {energy:,.0f} | {energy / of('energy_uj', 1.0):.1%} |"
    )


def _told(points: list[Point]) -> list[str]:
    """What of a frame is left where all gates are closed, and what writing keys and values is."""
    written, skipped = (at_rate(points, name, 0.0, "cycles") for name in WORKLOADS)
    macs = [at_rate(points, name, 0.0, "macs") for name in WORKLOADS]
    count = points[0]["gates"]
    each = (written - skipped) / count
    of_block = (at_rate(points, WORKLOADS[1], 1.0, "cycles") - skipped) / count
    all_macs = at_rate(points, WORKLOADS[1], 1.0, "macs")
    share = (macs[0] - macs[1]) / (all_macs - macs[1])
    return [
        (
            f"A block takes {of_block:,.0f} cycles behind an open gate. To write keys and values"
            f" behind a closed one takes {each:,.0f} of them, {each / of_block:.1%}, and"
            f" {share:.1%} of its multiplications: two of its twelve matrices of the width squared"
            " (the relative positions are a little more). With all gates closed"
            f" {skipped:,.0f} cycles are left, those of the convolutions in front of the blocks,"
            " the arbitrators, the joiner and the decoder."
        )
    ]


def main() -> None:
    """Measure unless `--page`, and write the page."""
    if "--page" not in sys.argv[1:]:
        write_atomic(RUN, (json.dumps(measure(), indent=1) + "\n").encode())
    points = json.loads(RUN.read_text(encoding="utf-8"))
    write_atomic(PAGE, page(points).encode())


if __name__ == "__main__":
    main()
