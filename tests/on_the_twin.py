"""Random models of an operator, on the kernels and on the twin of a chip.

`python -m tests.on_the_twin [KIND ...] [--models N] [--seed S]` runs them and reports.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from compiler import compile_model, load_model
from kernels import Interpreter
from npu.chip.params import ChipParams, load_params
from npu.errors import CapacityError, NpuError, UnsupportedError
from npu.model.graph import DTYPE_RANGES, Graph
from npu.runtime.header import INVOKE
from npu.runtime.sessions import GraphSession
from tests.tflite_builder import write
from tests.tflite_kinds import MAKERS

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=sorted(MAKERS))
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for models that fail")
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        rng = np.random.default_rng([arguments.seed, sum(kind.encode())])
        verdicts: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            for number in range(arguments.models):
                path = Path(folder) / f"{kind}_{number}.tflite"
                path.write_bytes(write(MAKERS[kind](rng)))
                verdict = _verdict(path, rng)
                verdicts[verdict] += 1
                if arguments.keep and verdict != "equal":
                    arguments.keep.mkdir(exist_ok=True)
                    (arguments.keep / path.name).write_bytes(path.read_bytes())
        print(kind, dict(verdicts), flush=True)


def _verdict(path: Path, rng: np.random.Generator) -> str:
    try:
        found = differences(path, rng, chip())
    except (UnsupportedError, CapacityError) as error:
        return f"refused: {str(error).split(': ', 2)[-1][:90]}"
    except NpuError as error:
        return f"{type(error).__name__}: {str(error)[-150:]}"
    except Exception as error:
        return f"FAILED {type(error).__name__}: {str(error)[:150]}"
    return "equal" if not found else "DIFFERS"


if __name__ == "__main__":
    main()
