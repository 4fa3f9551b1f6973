"""Measure the candidates and write `candidates.json` here, its page and its picture.

python -m reports.studies.codecs            # some minutes
python -m reports.studies.codecs --page     # page and picture again, from the JSON
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from compiler import load_model
from compiler.bench import CHIP
from compiler.bench.cases import Case, model_cases, synthetic_cases
from npu.chip.params import ChipParams, load_params
from npu.chip.summary import summary
from npu.text import json_text
from reports.studies.codecs import gates, page
from reports.studies.codecs.sizes import NAMES, measure
from rtl.synth import DEVICES, SPEED_GRADE, require_tools, tool_versions

MODEL = "commands_rnnt"
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
    return [*model_cases(load_model(MODEL), params), *random]


def measured_sizes(chosen: Sequence[Case], params: ChipParams) -> dict[str, Any]:
    """Sizes of every case by candidate, and their sums by kind of case."""
    rows: list[dict[str, Any]] = []
    for number, case in enumerate(chosen, start=1):
        print(f"{number} of {len(chosen)}: {case.name}", file=sys.stderr)
        found = measure(case, params)
        rows.append(
            {
                **case.described(),
                "sets": found.sets,
                "cycles": found.cycles,
                "sizes": {name: asdict(size) for name, size in found.sizes.items()},
            }
        )
    return {"cases": rows, **{kind: _sums(rows, kind) for kind in ("zoo", "synthetic")}}


def _sums(rows: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    mine = [row for row in rows if row["kind"] == kind]
    entropy = sum(row["entropy_bytes"] for row in mine)
    sizes = {}
    for name in NAMES:
        keys = ("n_bytes", "unpadded_bytes", "table_bytes")
        total = {key: sum(row["sizes"][name][key] for row in mine) for key in keys}
        sizes[name] = {**total, "over_entropy": total["unpadded_bytes"] / entropy}
    return {
        "weights": sum(int(np.prod(row["shape"])) for row in mine),
        "entropy_bytes": entropy,
        "products": len(mine),
        "sets": sum(row["sets"] for row in mine),
        "cycles": sum(row["cycles"] for row in mine),
        "sizes": sizes,
    }


def report() -> dict[str, Any]:
    """Everything that is measured, as JSON."""
    require_tools()
    params, small = load_params(CHIP), load_params(SYNTHESISED)
    sizes = measured_sizes(cases(params), params)
    decoders = gates.measured(small, lambda name: print(f"placing {name}", file=sys.stderr))
    return {
        "model": MODEL,
        "chip": summary(params),
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
        sys.exit("usage: python -m reports.studies.codecs [--page]")
    if not arguments:
        page.RUN.write_text(json_text(report()), encoding="utf-8")
    run = json.loads(page.RUN.read_text(encoding="utf-8"))
    page.PAGE.write_text(page.page(run), encoding="utf-8")
    page.figure(run, page.FIGURE)


if __name__ == "__main__":
    main(sys.argv[1:])
