"""Records TensorFlow Lite Micro's answers: `python -m tests.public.record FOLDER MODEL...`.

Copies each model to FOLDER, with `NAME.npz` beside it: `input0`, ... and `output0`, ..., stacked by
call, of the extreme, random and real calls of `tests/public/calls.py`.
"""

import sys
from pathlib import Path

import numpy as np

from tests.public.calls import made_calls, real_calls
from tests.public.files import facts
from tests.public.oracle import answers

REAL = 24
SEED = 11


def record(model: Path, folder: Path) -> int:
    """Copy and record one model; returns how many calls there are."""
    data = model.read_bytes()
    known = facts(data)
    calls = made_calls(known.inputs, np.random.default_rng(SEED)) + real_calls(model)[:REAL]
    found = answers(data, calls, known.outputs)
    arrays = {}
    for kind, table in (("input", calls), ("output", found)):
        for position, column in enumerate(zip(*table, strict=True)):
            arrays[f"{kind}{position}"] = np.stack(column)
    (folder / model.name).write_bytes(data)
    np.savez_compressed(folder / f"{model.stem}.npz", **arrays)
    return len(calls)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:]:
        print(f"{Path(name).stem}: {record(Path(name), folder)} calls")


if __name__ == "__main__":
    main()
