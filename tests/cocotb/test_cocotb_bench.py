"""The cocotb bench: a layer on the exported Verilog of a one-lane chip, on Icarus."""

import pytest

pytest.importorskip("cocotb", reason="cocotb is not installed")
pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")

from pathlib import Path

from npu.image import Image
from npu.params import load_params
from npu.trace import Retire
from rtl.cocotb import runner

VECTORS = Path(__file__).parent.parent / "vectors" / "tflite"
INPUTS = VECTORS / "fc_relu.npz"


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    from compiler import compile_model, load_model

    chip = load_params("tiny").model_copy(update={"lanes": 1, "name": "one_lane"})
    path = tmp_path_factory.mktemp("cocotb") / "fc_relu.npu"
    path.write_bytes(compile_model(load_model(VECTORS / "fc_relu.tflite"), chip).to_bytes())
    return path


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
    board = Scoreboard(None, loaded.program, loaded.params.bus_bytes, Cycles())
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
