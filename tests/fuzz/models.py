"""Fuzzing of the command line with models: `python -m tests.fuzz.models [--seconds N] [--seed S]`.

Every model is wrong somewhere (`tests.fuzz.mutants`). `npu inspect`, `npu compile` and `npu run`
end with status 0, or say in one line what is wrong; a fault of ours, a dead process, a long run or
a lot of memory is a finding, and its file stays in a folder.
"""

import argparse
import io
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np

from compiler import load_model
from npu import cli
from npu.errors import NpuError
from tests.fuzz.mutants import of_bytes, of_fields

USERS, DONE = 2, 0
SECONDS = 60
"""Most that a model may take; it is slow where three others run beside it."""
MEMORY = 3 << 30
"""Address space beyond what is taken before the first model."""
SMALL = 1 << 20
"""Elements that the inputs of a model may have, for it to be run."""


def mutant(seed: int, number: int) -> bytes:
    """The bytes of a model of this number; two of three are changed in fields."""
    rng = np.random.default_rng([seed, number])
    return (of_fields(rng) if number % 3 else None) or of_bytes(rng)


def findings(data: bytes, folder: Path, rng: np.random.Generator) -> tuple[str, str | None]:
    """What became of a model: the last command that took it, and what is a finding about it."""
    model, image, given = (folder / name for name in ("model.tflite", "image.npu", "in.npz"))
    model.write_bytes(data)
    run = ["run", model, "--input", given, "--chip", "edge", "--output", folder / "out.npz"]
    commands = {
        "inspect": ["inspect", model],
        "compile": ["compile", model, "-o", image, "--chip", "edge"],
        "kernels": [*run, "--engine", "kernels"],
        "twin": [*run, "--engine", "twin"],
    }
    took = "nothing"
    for name, words in commands.items():
        if name == "kernels" and not _inputs(model, given, rng):
            break
        status, said = _call([str(word) for word in words])
        if status == USERS and said.count("\n") == 1 and said.startswith("error: "):
            continue
        if status != DONE:
            return name, f"npu {name}: status {status}: {said}"
        took = name
    return took, None


def _call(words: list[str]) -> tuple[int, str]:
    """The status of a command and what it said as an error."""
    said = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        status = cli.main(words)
    return status, said.getvalue()


def _inputs(model: Path, given: Path, rng: np.random.Generator) -> bool:
    """Inputs for two calls; False where a model is not read, or where they are large."""
    try:
        graph = load_model(model).graphs["main"]
    except NpuError:
        return False
    tensors = [graph.tensors[index] for index in graph.inputs]
    if sum(tensor.size for tensor in tensors) > SMALL:
        return False
    arrays = []
    for tensor in tensors:
        bits = rng.integers(0, 256, (2, *tensor.shape, np.dtype(tensor.dtype).itemsize), np.uint8)
        values = bits.view(tensor.dtype).reshape(2, *tensor.shape)
        arrays.append(values if tensor.dtype != "bool" else bits[..., 0] > 127)
    np.savez(given, **{f"input{i}": array for i, array in enumerate(arrays)})
    return True


# --- many of them ---------------------------------------------------------------------------------
def fuzz(seed: int, first: int, last: int, seconds: float) -> Iterator[tuple[int, str, str | None]]:
    """(number, what became of it, the finding) of models, each child going on behind the last."""
    end, number = time.monotonic() + seconds, first
    while number < last and time.monotonic() < end:
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            os.close(reader)
            _child(seed, range(number, last), end, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as stream:
            while True:
                try:
                    number, *found = pickle.load(stream)
                except EOFError:
                    break
                yield number, found[0], found[1]
                number += 1
        _, status = os.waitpid(child, 0)
        if status:
            ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else status
            words = f"longer than {SECONDS} s" if ended == signal.SIGALRM else f"ended by {ended}"
            yield number, "dead", words
            number += 1


def _child(seed: int, numbers: range, end: float, writer: int) -> None:
    code = 1
    try:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        with tempfile.TemporaryDirectory() as name:
            for number in numbers:
                if time.monotonic() > end:
                    break
                signal.alarm(SECONDS)
                rng = np.random.default_rng([seed, number, 1])
                try:
                    found = findings(mutant(seed, number), Path(name), rng)
                except Exception:
                    found = "failed", traceback.format_exc()
                os.write(writer, pickle.dumps((number, *found)))
        code = 0
    finally:
        os._exit(code)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.models", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--models", type=int, default=1 << 31)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz-models"))
    asked = parser.parse_args()
    counts, found = Counter[str](), 0
    last = asked.first + asked.models
    for number, ended, finding in fuzz(asked.seed, asked.first, last, asked.seconds):
        counts[ended] += 1
        if finding is not None:
            found += 1
            print(f"{number}: {finding[-600:]}", flush=True)
            asked.keep.mkdir(parents=True, exist_ok=True)
            (asked.keep / f"{asked.seed}_{number}.tflite").write_bytes(mutant(asked.seed, number))
    print(f"{counts.total():,} models, {found} findings; by the last command that took them:")
    print(", ".join(f"{count:,} {name}" for name, count in counts.most_common()))
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
