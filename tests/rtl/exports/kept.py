"""Exports of a chip of two lanes, each made once in a run of the tests, and fewer of their calls.

To write the chip and its example takes longer than to simulate a call of it, and several files look
at the same one, on whatever worker they are.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

from npu.api.example import CALLS, example_of
from npu.chip.params import ChipParams, load_params
from rtl.export import export
from rtl.shared.options import PLAIN, Options
from rtl.sim.verilate import locked


def small() -> ChipParams:
    return load_params("tiny").model_copy(update={"lanes": 2, "name": "small"})


def kept_export(factory: pytest.TempPathFactory, options: Options = PLAIN) -> Path:
    """A copy of the export of `small()` with an example, for one file of tests to write into."""
    base = factory.getbasetemp()
    # Workers have a folder each in that of the run.
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    name = re.sub(r"\W+", "-", repr(options))
    made, whole = base / f"kept-{name}", base / f"kept-{name}.whole"
    with locked(whole):
        if not whole.exists():
            shutil.rmtree(made, ignore_errors=True)  # of one that failed
            export(small(), made, example_of(small()), options)
            whole.touch()
    return shutil.copytree(made, factory.mktemp("export") / "made")


def with_calls(folder: Path, calls: int) -> Path:
    """The folder of an export's example with only the first `calls` of its CALLS calls."""
    few = folder / f"calls-{calls}"
    few.mkdir(exist_ok=True)
    for path in (folder / "tb").glob("example.*"):
        text = path.read_text()
        if path.suffix in (".in", ".out"):
            lines = text.splitlines(keepends=True)
            text = "".join(lines[: len(lines) // CALLS * calls])
        text = text.replace(f"`define ZS_CALLS {CALLS}\n", f"`define ZS_CALLS {calls}\n")
        (few / path.name).write_text(text)
    return few
