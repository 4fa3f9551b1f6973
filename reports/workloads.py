"""Measure the workloads and write `reports/workloads.json` and `workloads.md`:

python -m reports.workloads             # measures, some twenty minutes on two cores
python -m reports.workloads convrnn_t   # measures this one alone, and keeps the others
python -m reports.workloads --page      # writes the page again from the last run

Every point is two processes, `npu compile` and `npu latency` of what it wrote.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NotRequired, TypedDict

import numpy as np

from compiler import load_model
from compiler.frontends.workloads import PREFIX, published
from compiler.reference import Reference
from npu.analysis.process import run_npu
from npu.errors import NpuError
from npu.files import write_atomic
from npu.model.recording import Recording
from npu.runtime.calls import call, calls_of, open_session
from npu.runtime.image import Image

PAGE = Path(__file__).with_name("workloads.md")
RUN = Path(__file__).with_name("workloads.json")

SPARSITIES = (0.0, 0.5, 0.75, 0.9)
LARGER = "max,sram_bytes=4194304,program_bytes=1048576"
"""For rings of keys and values, and for programs of many operators."""

CHIPS = {
    "mlperf_rnnt": "edge",
    "google_2019": "max",
    "icefall_lstm": "max",
    "icefall_conformer": LARGER,
    "icefall_zipformer": LARGER,
    "convrnn_t": LARGER,
}
"""Of all workloads but those with gates, which `reports.gates` measures."""
FRAMES = 2
CALLS = 4
"""Of random features, on kernels and twin."""


class Point(TypedDict):
    """A workload on a chip. Where it was refused there is the reason, and no figure.

    Attributes
    ----------
    frame_ms : of sound, from one call to the next.
    ms : of a call that emits a symbol, in the mean.
    moved_bytes : over the external bus in such a call.
    compile_seconds, peak_memory_mib : of the process `npu compile`, machine code made before.
    compared : elements of encoder outputs and logits that kernels and twin both computed, and that
        are equal.
    """

    workload: str
    sparsity: float
    chip: str
    refused: NotRequired[str]
    image_bytes: NotRequired[int]
    frame_ms: NotRequired[float]
    ms: NotRequired[float]
    real_time_factor: NotRequired[float]
    moved_bytes: NotRequired[float]
    energy_uj: NotRequired[float]
    compile_seconds: NotRequired[float]
    peak_memory_mib: NotRequired[float]
    compared: NotRequired[int]


def measure(names: Iterable[str] = CHIPS) -> list[Point]:
    """Workloads at every sparsity on their chips."""
    points = []
    for name in names:
        # What is compiled to machine code the first time is not measured.
        _point(name, SPARSITIES[-1])
        for sparsity in SPARSITIES:
            points.append(_point(name, sparsity))
            print(json.dumps(points[-1]), flush=True)
    return points


def _point(name: str, sparsity: float) -> Point:
    chip = CHIPS[name]
    found: Point = {"workload": name, "sparsity": sparsity, "chip": chip}
    with TemporaryDirectory(prefix="zeroskip-") as place:
        image, report = Path(place, "image.npu"), Path(place, "report.json")
        model = f"{PREFIX}{name},sparsity={sparsity}"
        try:
            compiled = run_npu("compile", model, "--chip", chip, "-o", str(image))
        except NpuError as error:
            return {**found, "refused": str(error)}
        run_npu("latency", str(image), "--frames", str(FRAMES), "--json", str(report))
        latency = json.loads(report.read_text(encoding="utf-8"))
        size = image.stat().st_size
        compared = compare(model, Image.load(image))
    total, pace = latency["total"], latency["pace"]
    moved = total["memory_bytes"]
    return {
        **found,
        "image_bytes": size,
        "frame_ms": pace["deadline_ms"],
        "ms": total["ms"],
        "real_time_factor": pace["real_time_factor"],
        "moved_bytes": moved["external read"] + moved["external written"],
        "energy_uj": total["energy_uj"]["total"],
        "compile_seconds": compiled["seconds"],
        "peak_memory_mib": compiled["peak_memory_mib"],
        "compared": compared,
    }


def compare(model: str, image: Image) -> int:
    """Elements of a transducer that kernels and twin computed alike.

    Raises AssertionError where they differ.
    """
    kernels, recording = Reference(load_model(model)), Recording()
    twin = open_session(image, recording=recording)
    compared = 0
    for inputs in calls_of(image, limit=CALLS):
        (tokens,), wanted = kernels.call(inputs)
        np.testing.assert_array_equal(call(twin, inputs)[0], tokens)
        np.testing.assert_equal(recording.vectors, wanted)
        compared += sum(vector.size for vectors in wanted.values() for vector in vectors)
        recording.clear()
    return compared


def page(points: list[Point]) -> str:
    """The page as Markdown, from what was measured."""
    lines = [
        "# Published networks with random weights",
        "",
        (
            "Written by `python -m reports.workloads`. `npu latency workload:NAME --sparsity S"
            " --chip CHIP` gives every line; a frame emits one symbol. Of what is moved, most are"
            " weights that do not stay on the chip. Seconds and memory are those of the process"
            " `npu compile`, which builds the network, compiles it and measures a call, on two"
            " cores that other work shared. What is equal are elements of the encoder's outputs and"
            f" of the logits in {CALLS} calls of random features, on the kernels and on the twin."
        ),
        "",
        (
            "| workload | zeros | chip | frame, ms | ms | real-time factor | image, bytes |"
            " moved a frame | uJ | compile, s | MiB | equal |"
        ),
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_line(point) for point in points),
        "",
        "## What they are",
        "",
    ]
    for name in CHIPS:
        entry = published()[name]
        lines += [
            f"- `{PREFIX}{name}`: {entry['title']}",
            f"  - from: {'; '.join(entry['sources'])}",
        ]
        lines += [f"  - differs: {each}" for each in entry["differs"]]
    lines += ["", "[gates.md](gates.md) has those whose blocks an arbitrator gates."]
    return "\n".join(lines) + "\n"


def _line(point: Point) -> str:
    first = f"| {point['workload']} | {point['sparsity']:.0%} | {point['chip']} |"
    if "refused" in point:
        return f"{first} | refused: {point['refused']} | | | | | | | | |"
    return (
        f"{first} {point['frame_ms']:g} | {point['ms']:.3f} | {point['real_time_factor']:.4f} |"
        f" {point['image_bytes']:,} | {point['moved_bytes']:,.0f} | {point['energy_uj']:,.0f} |"
        f" {point['compile_seconds']:.1f} | {point['peak_memory_mib']:,.0f} |"
        f" {point['compared']:,} |"
    )


def main() -> None:
    """Measure unless `--page`, all or those that are named, and write the page."""
    if (names := sys.argv[1:]) != ["--page"]:
        known = json.loads(RUN.read_text(encoding="utf-8")) if names else []
        found = measure(names or CHIPS)
        kept = [point for point in known if point["workload"] not in names]
        order = list(CHIPS)
        points = sorted([*kept, *found], key=lambda point: order.index(point["workload"]))
        write_atomic(RUN, (json.dumps(points, indent=1) + "\n").encode())
    points = json.loads(RUN.read_text(encoding="utf-8"))
    write_atomic(PAGE, page(points).encode())


if __name__ == "__main__":
    main()
