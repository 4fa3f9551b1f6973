"""`npu.Chip`, `Program.run` and `Program.latency`: typed results, checked inputs."""

import json

import numpy as np
import pytest

import npu
from npu.runtime.sessions import TransducerSession


def test_a_chip_with_other_parameters(tmp_path):
    assert npu.Chip() == npu.Chip("edge") == npu.load_chip("edge")
    chip = npu.Chip("tiny", lanes=8, energy_pj={"mac": 0.5})
    assert (chip.lanes, chip.energy_pj.mac) == (8, 0.5) and isinstance(chip, npu.ChipParams)
    assert npu.Chip(chip, lanes=16).lanes == 16 and chip.lanes == 8
    for wrong, message in (
        ({"lane": 3}, "did you mean 'lanes'"),
        ({"lanes": "3"}, "valid integer"),
        ({"lanes": 0}, "greater than or equal to 1"),
        ({"bus_bytes": 12}, "power of two"),
    ):
        with pytest.raises(npu.NpuError, match=message):
            npu.Chip("edge", **wrong)


@pytest.fixture(scope="module")
def layer(vectors):
    """A program of one layer, and its recorded inputs and outputs."""
    program = npu.compile(str(vectors / "fc_wide.tflite"), npu.Chip("edge", lanes=32))
    with np.load(vectors / "fc_wide.npz") as recorded:
        return program, recorded["input0"], recorded["output"]


def test_a_run_answers_call_by_call(layer, tmp_path):
    program, inputs, outputs = layer
    assert program.chip.lanes == 32
    (tmp_path / "a.npu").write_bytes(program.to_bytes())
    for same in (program, npu.Program.load(tmp_path / "a.npu")):
        result = same.run(inputs)
        assert np.array_equal(result.output, outputs) and len(result.outputs) == 1
        rows = result.to_rows()
        assert [row["call"] for row in rows] == list(range(len(inputs)))
        assert [row["cycles"] for row in rows] == result.cycles.tolist()
        assert rows[0]["ms"] == program.chip.milliseconds(rows[0]["cycles"])
        json.dumps(rows)


def test_inputs_that_do_not_fit(layer):
    program, inputs, _ = layer
    for wrong, message in (
        ((), "takes 1 input, not 0"),
        ((inputs, inputs), "takes 1 input, not 2"),
        ((inputs[:0],), "at least one call"),
        ((np.int8(3),), "an entry for each call"),
        ((inputs[:, :, :5],), "."),
    ):
        with pytest.raises(npu.NpuError, match=message):
            program.run(*wrong)


def test_latency_is_that_of_a_call(layer):
    program, inputs, _ = layer
    latency = program.latency()
    assert latency.cycles == program.run(inputs[:1]).cycles[0]
    (row,) = latency.to_rows()
    assert row["cycles"] == npu.measure(program).layers.popitem()[1].cycles <= latency.cycles
    assert row["ideal_cycles"] == -(-row["nonzeros"] // 32) <= row["cycles"]
    assert list(latency) == list(latency.layers) and row["layer"] == latency.layers[0].layer
    assert latency.boot_ms > 0 and latency.segments["main"] <= latency.cycles


def test_a_transducer_gives_symbols(zoo):
    program = npu.compile("commands_rnnt")
    with np.load(zoo / "commands_rnnt" / "utterances" / "test_fl_093.npz") as recorded:
        features = recorded["features"].reshape(-1, *program.header.features.shape[1:])
    result = program.run(features)
    session = TransducerSession(program)
    heard = [symbol for call in features for symbol in session.accept(call[np.newaxis])]
    assert result.output.tolist() == heard and result.cycles.tolist() == session.cycles
    rows = program.latency().to_rows()
    assert len(rows) == len(program.header.layers) and all(row["cycles"] for row in rows)
