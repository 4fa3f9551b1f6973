"""The public API: the names that people expect, loaded when they are used."""

import ast
import re
import subprocess
import sys

import numpy as np
import pytest

import npu
from npu.chip.params import ChipParams, load_params
from tests.conftest import ROOT

SNIPPET = re.compile(r"<!-- api -->\n```python\n(.*?)```", re.DOTALL)


def python(code: str, cwd=ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_importing_it_imports_nothing_heavy():
    done = python(
        "import sys, npu\n"
        "ours = [name for name in sys.modules if name.partition('.')[0] in ('compiler', 'rtl')]\n"
        "heavy = {'numpy', 'numba', 'pydantic', 'click', 'rich', 'kernels', 'npu.chip'}\n"
        "print(sorted(heavy & set(sys.modules)), ours)\n"
    )
    assert done.stdout == "[] []\n", done.stderr


@pytest.mark.parametrize("name", npu.__all__)
def test_every_name_is_there_and_says_what_it_is(name):
    assert name in dir(npu)
    assert getattr(npu, name).__doc__


def test_a_name_that_is_not_there():
    assert not hasattr(npu, "train")
    assert npu.ChipParams is ChipParams


def test_the_snippet_of_the_readme(vectors, tmp_path):
    """Run as it stands, beside a model of that name."""
    (snippet,) = SNIPPET.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (tmp_path / "model.tflite").write_bytes((vectors / "fc_wide.tflite").read_bytes())
    done = python(snippet, tmp_path)
    assert done.returncode == 0, done.stderr
    shape, cycles, units = done.stdout.splitlines()
    assert shape == "(1, 2048)" and int(cycles) > 10_000
    assert 0.9 * int(cycles) < ast.literal_eval(units)["matvec"] < int(cycles)


def test_a_chip_and_a_model_may_be_named_or_given(vectors):
    name = str(vectors / "fc_relu.tflite")
    given = npu.compile(npu.load(name), load_params("edge"))
    assert given.to_bytes() == npu.compile(name).to_bytes()
    with np.load(vectors / "fc_relu.npz") as recorded:
        inputs, expected = [recorded["input0"][0]], recorded["output"][0]
    (found,) = npu.simulate(given).invoke(inputs)
    (reference,), _ = npu.Reference(npu.load(name)).call(inputs)
    assert np.array_equal(found, expected) and np.array_equal(reference, expected)


def test_its_errors_are_those_of_the_project(tmp_path):
    with pytest.raises(npu.NpuError, match="no model"):
        npu.load(tmp_path / "none.tflite")
    with pytest.raises(npu.NpuError, match="neither a preset"):
        npu.compile("commands_rnnt", "vast")
