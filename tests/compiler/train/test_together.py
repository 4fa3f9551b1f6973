"""Runs of a queue at once: their order, and what becomes of them when one fails."""

import os
import signal
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

# Looked for and not imported: each process of the tests would import it too, for nothing.
if find_spec("torch") is None:
    pytest.skip("the extra `train` is not installed", allow_module_level=True)

from compiler.train.queue import Run
from compiler.train.together import run_together
from npu.errors import RecipeError
from tests.compiler.train.corpus.recipes import tiny

_LONGEST_S = 120


def _runs(**starts):
    recipe = tiny()
    return [Run(name, recipe, start) for name, start in starts.items()]


def _note(run, *, folder):
    """Each tells when it began and ended; `a` and `b` wait for each other."""
    (folder / f"{run.name}-begun").touch()
    if run.name in "ab":
        _until(folder / ("b-begun" if run.name == "a" else "a-begun"))
    there = sorted(each.name for each in folder.glob("*-ended"))
    (folder / f"{run.name}-ended").touch()
    return [run.name, *there]


def _until(file: Path):
    end = time.monotonic() + _LONGEST_S
    while not file.exists():
        assert time.monotonic() < end, f"{file.name} never came"
        time.sleep(0.02)


def test_two_work_at_once_and_none_before_the_one_that_it_starts_from(tmp_path):
    told = {}
    runs = _runs(a=None, c="a", b=None, d="c")
    run_together(
        runs, 2, partial(_note, folder=tmp_path), lambda lines: told.setdefault(lines[0], lines[1:])
    )
    assert set(told) == set("abcd")
    assert "a-ended" in told["c"] and "c-ended" in told["d"]


def test_one_at_once_is_done_in_this_process(tmp_path):
    told = []
    run_together(_runs(a=None, b="a"), 1, lambda run: [run.name, str(os.getpid())], told.extend)
    assert told == ["a", str(os.getpid()), "b", str(os.getpid())]


def _fail(run, *, folder, how):
    if run.name == "a":
        _until(folder / "pid")
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise RecipeError("this one cannot be")
    (folder / "new").write_text(str(os.getpid()))
    (folder / "new").rename(folder / "pid")
    time.sleep(_LONGEST_S)
    return []


@pytest.mark.parametrize(
    ("how", "match"),
    [("raises", "this one cannot be"), ("killed", "run a: its process ended .*-9")],
)
def test_when_one_fails_the_others_are_stopped(tmp_path, how, match):
    with pytest.raises(RecipeError, match=match):
        run_together(_runs(a=None, b=None), 2, partial(_fail, folder=tmp_path, how=how), print)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
