"""For the tests of sweeps: points of small models, and the command line in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler import load_model
from npu.chip.params import load_params
from npu.sweep.point import Point
from npu.sweep.weights import Thinning
from tests.conftest import ROOT

VECTORS = ROOT / "tests" / "vectors" / "tflite"


@pytest.fixture
def point() -> Callable[..., Point]:
    """A recorded layer on edge with other values."""

    def make(model="fc_relu", sparsity=None, bits=None, **changes) -> Point:
        path = VECTORS / f"{model}.tflite"
        chip = load_params("edge").model_dump(mode="json") | changes
        sources = load_model(path).sources
        return Point(str(path), model, sources, chip, Thinning(sparsity, bits), frames=1)

    return make


@pytest.fixture
def started(tmp_path) -> Callable[..., subprocess.Popen]:
    """A Python module in a process of its own; what still runs at the end is killed."""
    processes = []

    def start(*words: str, cwd: Path = tmp_path) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, words)],
            cwd=cwd,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, 9)
        process.communicate()
