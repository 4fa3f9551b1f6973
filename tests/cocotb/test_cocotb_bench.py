"""The cocotb bench: a layer on the exported Verilog of a one-lane chip, on Icarus."""

import pytest

pytest.importorskip("cocotb", reason="cocotb is not installed")
pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from compiler import compile_model, load_model
from npu.chip.params import load_params
from npu.chip.trace import Retire
from npu.errors import NpuError
from npu.runtime.image import Image
from rtl.cocotb import runner
from rtl.cocotb.verdict import Verdict, digest
from rtl.folders import claimed
from tests.random_transducers import random_transducer

ROOT = Path(__file__).parent.parent.parent
VECTORS = ROOT / "tests" / "vectors" / "tflite"
INPUTS = VECTORS / "fc_relu.npz"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> Callable[[str], Path]:
    """Compiles a recorded model for a chip of one lane."""
    chip = load_params("tiny").model_copy(update={"lanes": 1, "name": "one_lane"})
    folder = tmp_path_factory.mktemp("cocotb")

    def compile_one(name: str) -> Path:
        path = folder / f"{name}.npu"
        path.write_bytes(compile_model(load_model(VECTORS / f"{name}.tflite"), chip).to_bytes())
        return path

    return compile_one


@pytest.fixture(scope="module")
def image(compiled) -> Path:
    return compiled("fc_relu")


@pytest.fixture
def icarus() -> None:
    if reason := runner.available("icarus"):
        pytest.skip(f"{reason} (sudo apt-get install iverilog)")


@pytest.mark.usefixtures("icarus")
def test_a_layer_on_icarus_equals_the_twin(image, tmp_path):
    result = runner.run(image, tmp_path, inputs=INPUTS)
    said = result.log.read_text()
    assert result.passed, said
    assert "13 records, 10 outputs" in said and "equal to the twin" in said
    assert result.waves is None


@pytest.fixture
def transducer(tmp_path) -> Path:
    """The image of a small transducer for a chip of one lane."""
    chip = load_params("tiny").model_copy(update={"lanes": 1, "name": "one_lane"})
    image = compile_model(random_transducer(np.random.default_rng(3)), chip)
    path = tmp_path / "transducer.npu"
    path.write_bytes(image.to_bytes())
    return path


@pytest.mark.long
def test_a_transducer_on_verilator_equals_the_twin(transducer, tmp_path):
    """Sessions of any kind drive the bench: states, a search and its symbol."""
    if reason := runner.available("verilator"):
        pytest.skip(reason)
    result = runner.run(transducer, tmp_path, simulator="verilator")
    said = result.log.read_text()
    assert result.passed, said
    assert ", 1 outputs, " in said and "equal to the twin" in said


@pytest.mark.usefixtures("icarus")
def test_a_transducer_is_refused_on_icarus(transducer, tmp_path):
    with pytest.raises(NpuError, match="simulate it on Verilator"):
        runner.run(transducer, tmp_path)


@pytest.mark.usefixtures("icarus")
def test_a_faulty_chip_leaves_waves(image, tmp_path, monkeypatch):
    def faulty(params, folder):
        files = export(params, folder)
        text = files[0].read_text()
        assert text.count("assign m_axi_wdata = ") == 1
        files[0].write_text(text.replace("assign m_axi_wdata = ", "assign m_axi_wdata = ~"))
        return files

    export = runner.export
    monkeypatch.setattr(runner, "export", faulty)
    result = runner.run(image, tmp_path, inputs=INPUTS)
    assert not result.passed
    assert "AssertionError: record " in result.log.read_text()
    assert result.waves is not None and result.waves.stat().st_size > 10_000


def test_the_scoreboard_names_the_first_difference(image):
    from rtl.cocotb.scoreboard import Scoreboard

    class Cycles:
        def __init__(self) -> None:
            self.watchers: list = []

    loaded = Image.load(image)
    board = Scoreboard(None, loaded.program, loaded.params, Cycles())
    twin = [Retire(0, "LOAD", 0, 5, 1), Retire(1, "LOAD", 6, 9, 2)]
    board.records = [twin[0], Retire(1, "LOAD", 6, 10, 2)]
    board.times_ns = [50.0, 100.0]
    with pytest.raises(AssertionError, match=r"^record 1, .*, at 100 ns:\n  twin .*\n  rtl .*10"):
        board.check(twin)
    board.records.pop()
    with pytest.raises(AssertionError, match=r"record 1, .*, at the end"):
        board.check(twin)
    board.check(twin[:1])


def test_what_cannot_run_is_refused(image, tmp_path):
    with pytest.raises(runner.SimulatorError, match="must be icarus or verilator, not 'vcs'"):
        runner.run(image, tmp_path, simulator="vcs")


@pytest.mark.usefixtures("icarus")
def test_two_runs_at_once_say_each_what_its_own_image_did(image, compiled, tmp_path):
    """From one folder, as two terminals would; the images differ in their records."""
    images = {"fc_relu": image, "joint": compiled("joint")}
    runs = {
        name: subprocess.Popen(
            [sys.executable, "-m", "rtl.cocotb", path],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, path in images.items()
    }
    said = {name: run.communicate(timeout=600)[0] for name, run in runs.items()}
    assert [run.returncode for run in runs.values()] == [0, 0], said
    for name, path in images.items():
        assert f"image {digest(path.read_bytes())[:16]}" in said[name]
    assert "13 records, 10 outputs" in said["fc_relu"]
    assert "13 records" not in said["joint"] and "equal to the twin" in said["joint"]
    assert len(list((tmp_path / "build" / "cocotb").iterdir())) == 2


def test_a_verdict_about_another_image_is_none(tmp_path):
    wanted = Verdict("a" * 64, "b" * 64, 1, equal=True)
    path = tmp_path / "verdict.json"
    wanted.write(path)
    assert runner._confirmed(path, wanted, passed=True)
    assert not runner._confirmed(path, wanted, passed=False)
    replace(wanted, equal=False).write(path)
    assert not runner._confirmed(path, wanted, passed=True)
    for other in (replace(wanted, image="c" * 64), replace(wanted, inputs="c"), Verdict("", "", 2)):
        other.write(path)
        with pytest.raises(runner.SimulatorError, match="about another image or other inputs"):
            runner._confirmed(path, wanted, passed=True)
    path.write_text("[]")
    with pytest.raises(runner.SimulatorError, match="left no verdict"):
        runner._confirmed(path, wanted, passed=True)
    path.unlink()
    with pytest.raises(runner.SimulatorError, match="left no verdict"):
        runner._confirmed(path, wanted, passed=True)


@pytest.mark.usefixtures("icarus")
def test_a_folder_holds_one_run_at_a_time(image, tmp_path):
    with claimed(tmp_path), pytest.raises(NpuError, match="another run is at work in"):
        runner.run(image, tmp_path, inputs=INPUTS)
    with claimed(tmp_path):
        pass
