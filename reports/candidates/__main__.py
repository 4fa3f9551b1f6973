"""Measure the candidates and write `reports/candidates.json`, its page and its picture.

python -m reports.candidates            # some minutes
python -m reports.candidates --page     # page and picture again, from the JSON
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from compiler import load_model
from npu.chip.params import ChipParams, load_params
from npu.cli._codec_cases import Case, model_cases, synthetic_cases
from npu.cli._output import emit_json, progress
from npu.cli.bench import DEFAULT_CHIP, DEFAULT_MODEL
from reports.candidates import gates, page
from reports.candidates.sizes import NAMES, measure
from rtl.synth import DEVICES, SPEED_GRADE, require_tools, tool_versions

SYNTHESISED = "tiny"
SYNTHETIC = "8 bit, per tensor"
LEAST_ZEROS = 0.45


def cases(params: ChipParams) -> list[Case]:
    """The matrices of the model, and random ones with one scale, 8 bits and 50 to 95 % zeros."""
    random = [
        case
        for case in synthetic_cases()
        if case.kind == "synthetic"
        and case.name.endswith(SYNTHETIC)
        and np.mean(case.weights == 0) >= LEAST_ZEROS
    ]
    return [*model_cases(load_model(DEFAULT_MODEL), params), *random]


def measured_sizes(chosen: Sequence[Case], params: ChipParams) -> dict[str, Any]:
    """Sizes of every case by candidate, and their sums by kind of case."""
    rows: list[dict[str, Any]] = []
    with progress("compressing", total=len(chosen)) as advance:
        for case in chosen:
            found = measure(case, params)
            rows.append(
                {
                    **case.described(),
                    "sets": found.sets,
                    "cycles": found.cycles,
                    "sizes": {name: asdict(size) for name, size in found.sizes.items()},
                }
            )
            advance(1)
    return {"cases": rows, **{kind: _sums(rows, kind) for kind in ("zoo", "synthetic")}}


def _sums(rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    mine = [row for row in rows if row["kind"] == kind]
    h0 = sum(row["h0_bytes"] for row in mine)
    sizes = {}
    for name in NAMES:
        keys = ("n_bytes", "unpadded_bytes", "table_bytes")
        total = {key: sum(row["sizes"][name][key] for row in mine) for key in keys}
        sizes[name] = {**total, "ratio": total["unpadded_bytes"] / h0}
    return {
        "weights": sum(int(np.prod(row["shape"])) for row in mine),
        "h0_bytes": h0,
        "products": len(mine),
        "sets": sum(row["sets"] for row in mine),
        "cycles": sum(row["cycles"] for row in mine),
        "sizes": sizes,
    }


def report() -> dict[str, Any]:
    """Everything that is measured, as JSON."""
    require_tools()
    params, small = load_params(DEFAULT_CHIP), load_params(SYNTHESISED)
    sizes = measured_sizes(cases(params), params)
    total = len(gates.DECODERS) * len(gates.SEEDS)
    with progress("placing and routing", total=total) as advance:
        decoders = gates.measured(small, lambda: advance(1))
    return {
        "model": DEFAULT_MODEL,
        "chip": {"name": params.name, "lanes": params.lanes, "threads": params.threads},
        "synthesis": {
            "threads": small.threads,
            "clock_mhz": small.clock_mhz,
            "device": {"size": gates.DEVICE, **asdict(DEVICES[gates.DEVICE])},
            "speed_grade": SPEED_GRADE,
            "seeds": list(gates.SEEDS),
            "tools": tool_versions(),
        },
        **sizes,
        "decoders": decoders,
    }


def main(arguments: Sequence[str]) -> None:
    """Write the JSON, unless only the page is wanted, and from it the page and the picture."""
    if list(arguments) not in ([], ["--page"]):
        sys.exit("usage: python -m reports.candidates [--page]")
    if not arguments:
        emit_json(report(), str(page.RUN))
    run = json.loads(page.RUN.read_text(encoding="utf-8"))
    page.PAGE.write_text(page.page(run), encoding="utf-8")
    page.figure(run, page.FIGURE)


if __name__ == "__main__":
    main(sys.argv[1:])
