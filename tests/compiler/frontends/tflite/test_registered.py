"""The table of operators beside what the installed TensorFlow Lite Micro registers."""

import subprocess
import sys

import pytest

from compiler.frontends.tflite.table import refused_operators, supported_operators
from tests.conftest import ROOT
from tests.registered import builtin_names

pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)


def test_all_that_is_registered_stands_in_the_table():
    command = [sys.executable, "-m", "tests.registered"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    refused = dict(refused_operators())
    told = {name for name, _ in supported_operators()} | refused.keys()
    assert len(found) >= 100 and found.keys() == told & set(builtin_names())
    only_float = {name for name, why in refused.items() if "on float32 only" in why}
    assert only_float and not any(found[name] for name in only_float)
