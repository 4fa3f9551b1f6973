"""Random models of an operator, on TensorFlow Lite Micro, the kernels and the twin of a chip.

`python -m tests.on_the_twin [KIND ...] [--models N] [--seed S] [--json FILE]` runs them, and ends
with status 1 where an element differs.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from compiler import compile_model, load_model
from kernels import Interpreter
from npu.chip.params import ChipParams, load_params
from npu.model.graph import DTYPE_RANGES, Graph
from npu.runtime.header import INVOKE
from npu.runtime.sessions import GraphSession
from tests.live import CALLS, Verdict, run_all, side_by_side
from tests.tflite_builder import write
from tests.tflite_kinds import MAKERS

OURS = ("kernels", "twin")
PLACE = r"model\.tflite: |operator \d+ |\(number \d+\) "
"""What one refusal has otherwise than another of the same reason."""
ROOMY = {"sram_bytes": 1 << 17, "bank_bytes": 1 << 15, "param_bytes": 1 << 16}


def chip(**changes: int) -> ChipParams:
    """A small chip with room for any small model."""
    return ChipParams(**(load_params("tiny").model_dump() | ROOMY | changes))


def random_inputs(
    graph: Graph, rng: np.random.Generator, calls: int, limits: Sequence[int | None]
) -> Iterator[list[np.ndarray]]:
    """Inputs for some calls: the first ones extreme, then random, below their limits."""
    for call in range(calls):
        inputs = []
        for index, limit in zip(graph.inputs, limits, strict=True):
            tensor = graph.tensors[index]
            if tensor.dtype in ("float32", "bool"):
                values = rng.standard_normal(tensor.shape)
                inputs.append(
                    (values > 0 if tensor.dtype == "bool" else values).astype(tensor.dtype)
                )
                continue
            if limit is not None:
                lo, hi = 0, limit - 1
            elif tensor.dtype == "int64":
                lo, hi = -(1 << 62), 1 << 62
                if call % 2:
                    lo, hi = -3, 9
            else:
                lo, hi = DTYPE_RANGES[tensor.dtype]
            extremes = [lo, hi]
            values = (
                np.full(tensor.shape, extremes[call])
                if call < len(extremes)
                else rng.integers(lo, hi + 1, tensor.shape)
            )
            inputs.append(values.astype(tensor.dtype))
        yield inputs


def differences(path: Path, rng: np.random.Generator, params: ChipParams, calls: int = 4) -> int:
    """Elements that the twin answers otherwise than the kernels. Raises NpuError."""
    model = load_model(path)
    graph = model.graphs["main"]
    kernels = Interpreter(graph)
    session = GraphSession(compile_model(model, params))
    limits = [tensor.index_limit for tensor in session.image.header.entry(INVOKE).inputs]
    found = 0
    for inputs in random_inputs(graph, rng, calls, limits):
        answers = session.invoke(inputs)
        for ours, wanted in zip(answers, kernels.invoke(inputs), strict=True):
            assert ours.shape == wanted.shape and ours.dtype == wanted.dtype
            found += int(np.count_nonzero(ours != wanted))
    return found


def verdict_of(kind: str, seed: int, number: int, path: Path) -> Verdict:
    """A model of a kind, on TensorFlow Lite Micro, kernels and twin."""
    rng = np.random.default_rng([seed, number, *kind.encode()])
    return side_by_side(MAKERS[kind](rng), chip(), rng, path)


def row(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What became of the models of a kind, as the report has it."""
    refused = Counter(
        f"{name}: {re.sub(PLACE, '', why)}" for v in verdicts for name, why in v.refused.items()
    )
    return {
        "models": len(verdicts),
        "equal": sum(v.equal for v in verdicts),
        "elements": sum(v.elements for v in verdicts),
        "differ": {name: sum(v.differ.get(name, 0) for v in verdicts) for name in OURS},
        "refused": dict(refused),
        "broken": [v.broken for v in verdicts if v.broken],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=sorted(MAKERS))
    parser.add_argument("--models", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for models that are not equal")
    parser.add_argument("--json", type=Path, help="the results; `reports.operators_page` reads it")
    asked = parser.parse_args()
    rows = {}
    for kind in asked.kinds:
        tasks = [partial(verdict_of, kind, asked.seed, number) for number in range(asked.models)]
        verdicts = list(run_all(tasks))
        rows[kind] = row(verdicts)
        print(kind, *(f"{key} {value}" for key, value in rows[kind].items() if value), flush=True)
        for number, verdict in enumerate(verdicts):
            if asked.keep is not None and not verdict.equal:
                asked.keep.mkdir(parents=True, exist_ok=True)
                rng = np.random.default_rng([asked.seed, number, *kind.encode()])
                (asked.keep / f"{kind}_{number}.tflite").write_bytes(write(MAKERS[kind](rng)))
    if asked.json is not None:
        report = {"seed": asked.seed, "calls": len(CALLS), "kinds": rows}
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return int(any(r["broken"] or any(r["differ"].values()) for r in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
