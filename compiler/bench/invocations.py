"""The time of an invocation, of our kernels and of other interpreters, in one run.

The engines take turns, round by round, so that what else the machine does meets all of them; of
each the fastest round counts. Python's part is told apart: the others are called from Python, and
what they take for a model of one RESHAPE of one byte, in the same rounds, is taken off. Our kernels
run their calls in a compiled loop, so there is nothing to take off; beside it stands what they take
from Python.

    python -m compiler.bench.invocations MODEL ENGINE...

is the process that measures: one for each model, for an interpreter may end its process. It prints
a line for each engine that it prepares, then the times as JSON.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from compiler.bench.results import InvocationReport
from compiler.bench.rivals import ENGINES, Repeat
from compiler.frontends import read_tflite
from compiler.tflite_writer import ModelSpec, write
from npu.errors import NpuError
from npu.model.graph import Graph

ROUNDS, LEAST_INVOCATIONS = 50, 1000
ROUND_SECONDS = 0.004
"""What a round of an engine should take: long against the clock's steps, short against what else
the machine does."""
TIMEOUT_S = 300
PREPARING = "preparing "
ALONE = "kernels"
"""The engine whose calls Python does not make."""


def invocation_reports(model: Path) -> dict[str, InvocationReport]:
    """Every engine on a model; with the reason where one cannot run it.

    Raises NpuError where the file is none of TFLite's, or our kernels cannot run it.
    """
    read_tflite(model)
    left = list(ENGINES)
    found: dict[str, InvocationReport] = {}
    while left:
        command = [sys.executable, "-m", "compiler.bench.invocations", str(model.resolve()), *left]
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise NpuError(f"{model}: invocations take longer than {TIMEOUT_S} s") from None
        lines = ran.stdout.splitlines()
        if ran.returncode == 0:
            return {name: {**found, **json.loads(lines[-1])}[name] for name in ENGINES}
        culprit = _culprit(lines, left)
        said = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        reason = said[-1][:300] if said else "no word"
        found[culprit] = _refused(f"its process ended with {ran.returncode}: {reason}")
        left.remove(culprit)
    return {name: found[name] for name in ENGINES}


def _culprit(lines: Sequence[str], asked: Sequence[str]) -> str:
    """The engine that was prepared last."""
    named = [line[len(PREPARING) :] for line in lines if line.startswith(PREPARING)]
    return named[-1] if named else asked[0]


def measure(model: Path, engines: Sequence[str]) -> dict[str, InvocationReport]:
    """The same in this process, of some engines."""
    inputs = seeded_inputs(read_tflite(model))
    again = any(each.dtype != np.int8 for each in inputs)
    found: dict[str, InvocationReport] = {}
    ready: dict[str, tuple[Repeat, Repeat]] = {}
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.tflite"
        empty.write_bytes(empty_model())
        nothing = seeded_inputs(read_tflite(empty))
        for name in engines:
            print(PREPARING + name, flush=True)  # noqa: T201 - the parent reads it
            try:
                engine = ENGINES[name]
                ready[name] = (engine(model, inputs, again), engine(empty, nothing, again))
            except (NpuError, RuntimeError, ValueError) as error:
                found[name] = _refused(" ".join(str(error).split())[:300])
        repeats = {(name, k): pair[k] for name, pair in ready.items() for k in (0, 1)}
        times, counts = _rounds(repeats)
    for name in ready:
        gross, empties = times[name, 0], times[name, 1]
        taken_off = 0.0 if name == ALONE else min(empties)
        found[name] = {
            "refused": None,
            "us": 1e6 * (min(gross) - taken_off),
            "gross_us": 1e6 * min(gross),
            "median_us": 1e6 * float(np.median(gross)),
            "empty_us": 1e6 * min(empties),
            "invocations": ROUNDS * counts[name, 0],
        }
    return found


def _rounds(
    repeats: dict[tuple[str, int], Repeat],
) -> tuple[dict[tuple[str, int], list[float]], dict[tuple[str, int], int]]:
    """Seconds of an invocation by round, and invocations of a round, by what is repeated."""
    counts: dict[tuple[str, int], int] = {}
    for key, repeat in repeats.items():
        started = perf_counter()
        repeat(10)
        one = max((perf_counter() - started) / 10, 1e-9)
        counts[key] = max(LEAST_INVOCATIONS // ROUNDS, round(ROUND_SECONDS / one))
    times: dict[tuple[str, int], list[float]] = {key: [] for key in repeats}
    for _ in range(ROUNDS):
        for key, repeat in repeats.items():
            started = perf_counter()
            repeat(counts[key])
            times[key].append((perf_counter() - started) / counts[key])
    return times, counts


def seeded_inputs(graph: Graph) -> list[np.ndarray]:
    """Any int8, zeros of every other type: indices must exist."""
    rng = np.random.default_rng(0)
    tensors = [graph.tensors[index] for index in graph.inputs]
    return [
        rng.integers(-128, 128, t.shape).astype(np.int8)
        if t.dtype == "int8"
        else np.zeros(t.shape, t.dtype)
        for t in tensors
    ]


def empty_model() -> bytes:
    """A RESHAPE of one byte: what an invocation takes that computes nothing."""
    spec = ModelSpec()
    ends = [spec.tensor((1, 1), scale=1.0), spec.tensor((1, 1), scale=1.0)]
    spec.operator("RESHAPE", ends[:1], ends[1:], ("ReshapeOptions", {"NewShape": [1, 1]}))
    spec.inputs, spec.outputs = ends[:1], ends[1:]
    return write(spec)


def _refused(reason: str) -> InvocationReport:
    return {
        "refused": reason,
        "us": None,
        "gross_us": None,
        "median_us": None,
        "empty_us": None,
        "invocations": 0,
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2:])))  # noqa: T201 - the parent reads it
