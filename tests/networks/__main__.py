"""Random models on TensorFlow Lite Micro, kernels and twin: nothing may differ.

Exit status 1 where an element differs, where one refuses what another runs, or something broke.
"""

import argparse
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from npu.chip.params import ChipParams, load_params
from tests.live import Verdict, run_all, side_by_side
from tests.networks.make import random_network
from tests.on_the_twin import chip
from tests.tflite_builder import write

ROOMY = "roomy"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.networks", description=__doc__)
    parser.add_argument("--graphs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--chip", default=ROOMY, help="a preset, or `roomy`: tiny with more memory")
    parser.add_argument("--only", type=int, help="the model of this number alone")
    parser.add_argument("--keep", type=Path, help="folder for the models that are not equal")
    return parser.parse_args()


def params_of(name: str) -> ChipParams:
    """A chip by the name that the command takes."""
    return chip() if name == ROOMY else load_params(name)


def verdict_of(seed: int, number: int, params: ChipParams, path: Path) -> Verdict:
    """One of the models on all three."""
    inputs = np.random.default_rng([seed, number, 1])
    return side_by_side(random_network(seed, number), params, inputs, path)


def main() -> int:
    asked = arguments()
    params = params_of(asked.chip)
    numbers = range(asked.graphs) if asked.only is None else [asked.only]
    counts: Counter[str] = Counter()
    operators: Counter[str] = Counter()
    failed = 0
    tasks = [partial(verdict_of, asked.seed, number, params) for number in numbers]
    for number, verdict in zip(numbers, run_all(tasks), strict=True):
        spec = random_network(asked.seed, number)
        operators.update(op.kind for op in spec.operators)
        counts["models"] += 1
        counts["equal"] += verdict.equal
        counts["refused"] += bool(verdict.refused)
        counts["operators"] += verdict.operators
        counts["elements"] += verdict.elements
        counts["differ"] += sum(verdict.differ.values())
        failed += not verdict.agreed
        if not verdict.equal:
            print(f"{number}: {verdict.text()}", flush=True)
            if asked.keep is not None:
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / f"{asked.seed}_{number}.tflite").write_bytes(write(spec))
    print(", ".join(f"{count:,} {name}" for name, count in counts.items()))
    print(f"{len(operators)} kinds:", ", ".join(f"{n} {k}" for k, n in sorted(operators.items())))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
