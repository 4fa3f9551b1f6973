"""The recipes of ARCHITECTURE.md, followed: each needs the places that it names and no others."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import npu
from compiler import examine_model
from compiler.frontends import formats
from npu.errors import ModelError
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.operators.rescale import Relu
from npu.model.verify import verify
from tests.conftest import ROOT

SCRIPT = """
from npu.chip.params import PRESETS, load_params
from npu.errors import ParamsError
print([load_params(name).spare for name in PRESETS])
try:
    load_params("old.toml")
except ParamsError as error:
    print(error)
"""


def test_add_a_chip_parameter(tmp_path):
    shutil.copytree(ROOT / "npu", tmp_path / "npu", ignore=shutil.ignore_patterns("zoo"))
    chip = tmp_path / "npu" / "chip"
    shutil.copy(chip / "presets" / "tiny.toml", tmp_path / "old.toml")
    # The recipe: a field with its range, and a value in each preset.
    source = (chip / "params.py").read_text(encoding="utf-8")
    field = "    clock_mhz: float"
    assert source.count(field) == 1
    changed = source.replace(field, f"    spare: int = Field(ge=0, le=7)\n{field}")
    (chip / "params.py").write_text(changed, encoding="utf-8")
    for preset in (chip / "presets").glob("*.toml"):
        text = preset.read_text(encoding="utf-8")
        preset.write_text(text.replace("clock_mhz", "spare = 3\nclock_mhz"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    presets, refusal = done.stdout.splitlines()
    assert presets == "[3, 3, 3]"
    assert refusal == "old.toml: key 'spare' is missing"


def read_toy(path):
    """A front end: a JSON file that says how long a RELU is."""
    try:
        size = json.loads(path.read_text(encoding="utf-8"))["relu"]
    except (ValueError, KeyError) as error:
        raise ModelError(f"{path.name}: not a toy ({error!r})") from error
    scale = Quantization(np.array([0.1], np.float32), 0)
    tensors = tuple(Tensor(name, (1, size), "int8", scale, None) for name in "xy")
    graph = Graph(path.name, tensors, (Relu("relu", 0, 1),), (0,), (1,))
    verify(graph)
    return graph


def examine_toy(path):
    return [formats.Verdict("relu", "int8", None)]


@pytest.fixture
def toy(monkeypatch):
    """The recipe: two functions, and a line in the table of formats."""
    front_end = formats.FrontEnd(f"{__name__}:read_toy", f"{__name__}:examine_toy")
    monkeypatch.setitem(formats.FORMATS, ".toy", front_end)


@pytest.mark.usefixtures("toy")
def test_add_a_front_end(tmp_path):
    path = tmp_path / "a.toy"
    path.write_text('{"relu": 5}', encoding="utf-8")
    program = npu.compile(path, "tiny")
    x = np.array([[-128, -1, 0, 1, 127]], np.int8)
    (y,) = npu.simulate(program).invoke([x])
    assert y.tolist() == [[0, 0, 0, 1, 127]]
    assert program.header.model == "a.toy" and list(program.header.sources) == ["a.toy"]


@pytest.mark.usefixtures("toy")
def test_the_new_format_is_examined_and_refused(tmp_path):
    path = tmp_path / "a.toy"
    path.write_text("{}", encoding="utf-8")
    assert examine_model(path) == {"a.toy": examine_toy(path)}
    with pytest.raises(ModelError, match=r"a\.toy: not a toy"):
        npu.load(path)


def test_without_its_line_the_format_is_unknown(tmp_path):
    path = tmp_path / "a.toy"
    path.write_text('{"relu": 5}', encoding="utf-8")
    with pytest.raises(ModelError, match="no TFLite model"):
        npu.load(path)
