"""Sweeps on Dask: what is written while they run, and what is left when something is killed."""

import json
import os
import shutil
import signal
import time

import pytest

pytest.importorskip("distributed", reason="the extra `sweep` is not installed")
pytest.importorskip("pyarrow", reason="the extra `sweep` is not installed")

from npu.sweep.folder import read_rows
from tests.npu.sweep.conftest import VECTORS

SPEC = """
models = ["layer.tflite"]
frames = 1
[[grid]]
lanes = {from = 1, to = 24, step = 1}
clock_mhz = [100, 400]
[[grid]]
lanes = 0
"""
POINTS, COMPILED = 49, 24
SECONDS = 200


@pytest.fixture
def folder(tmp_path):
    """With a spec and its model."""
    shutil.copy(VECTORS / "fc_relu.tflite", tmp_path / "layer.tflite")
    (tmp_path / "spec.toml").write_text(SPEC, encoding="utf-8")
    return tmp_path


@pytest.fixture
def swept(started, folder):
    """Start `npu sweep` on the spec; results and cache lie beside it."""

    def start(*options):
        words = ["npu.cli", "sweep", "spec.toml", "--cache", "cache", "--json", "-", *options]
        return started(*words, cwd=folder)

    return start


def report(process):
    told, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return json.loads(told)


def kept(folder, suffix="row"):
    """The files that are there, with what tells whether they were written again.

    A file that is written again is another one; a row says how many seconds it took. Reading makes
    a file younger (see `npu.sweep.kept`), so its time tells nothing.
    """
    files = (folder / "cache").rglob(f"*.{suffix}")
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in files}


def wait_for(what, process):
    """Until `what` holds, while the process runs."""
    end = time.monotonic() + SECONDS
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def complete(rows):
    good = [row for row in rows if row["error"] is None]
    assert len(rows) == POINTS and len(good) == POINTS - 1
    assert {(row["lanes"], row["clock_mhz"]) for row in good} == {
        (lanes, clock) for lanes in range(1, 25) for clock in (100.0, 400.0)
    }
    (failure,) = (row for row in rows if row["error"] is not None)
    assert "lanes = 0" in failure["error"]


def test_killed_in_the_middle_and_continued(swept, folder):
    process = swept("--workers", "2")
    wait_for(lambda: len(kept(folder)) >= 8, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.5)
    rows, images = kept(folder), kept(folder, "npu")
    assert 8 <= len(rows) < POINTS
    # What it had written of its results can be read.
    if list((folder / "spec.sweep").glob("*.parquet")):
        assert len(read_rows(folder / "spec.sweep")) <= len(rows)
    done = report(swept("--workers", "1"))
    assert done["known"] == len(rows) and done["computed"] == POINTS - len(rows)
    assert rows.items() <= kept(folder).items() and images.items() <= kept(folder, "npu").items()
    assert done["compiled"] == COMPILED - len(images) and len(kept(folder, "npu")) == COMPILED
    complete(read_rows(folder / "spec.sweep"))
    assert [path.name for path in (folder / "spec.sweep").iterdir()] == ["points.parquet"]
    again = report(swept("--workers", "1"))
    assert (again["known"], again["computed"], again["compiled"]) == (POINTS, 0, 0)
    complete(read_rows(folder / "spec.sweep"))


def test_a_worker_of_another_scheduler_dies(swept, started, folder):
    address = folder / "scheduler.json"
    started(
        "distributed.cli.dask_scheduler",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        str(address),
        "--host",
        "127.0.0.1",
    )
    end = time.monotonic() + SECONDS
    while not address.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    workers = [
        started(
            "distributed.cli.dask_worker",
            "--scheduler-file",
            str(address),
            "--no-nanny",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--local-directory",
            str(folder / name),
        )
        for name in ("one", "two")
    ]
    process = swept("--scheduler", json.loads(address.read_text())["address"])
    wait_for(lambda: len(kept(folder)) >= 8, process)
    os.killpg(workers[0].pid, signal.SIGKILL)
    done = report(process)
    assert (done["points"], done["computed"], done["failed"]) == (POINTS, POINTS, 1)
    assert done["seconds"] > 0
    complete(read_rows(folder / "spec.sweep"))


def test_nobody_answers(swept):
    process = swept("--scheduler", "127.0.0.1:9")
    _told, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 2 and "no Dask scheduler answers at 127.0.0.1:9" in err
