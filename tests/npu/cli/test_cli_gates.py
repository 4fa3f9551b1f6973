"""`npu latency --open-gates`, and what commands say of a model with gates."""

import json

import numpy as np
import pytest

from compiler.frontends.workloads import names
from tests.compiler.frontends.workloads.sizes import GATED
from tests.tflite_branches import random_branches
from tests.tflite_builder import write


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """Two small networks in the place of those that are published."""
    file = tmp_path / "workloads.json"
    file.write_text(json.dumps(GATED), encoding="utf-8")
    monkeypatch.setattr(names, "DIMENSIONS", file)
    names.published.cache_clear()
    yield
    names.published.cache_clear()


@pytest.mark.parametrize("unseen", ["written", "skipped"])
def test_more_open_gates_take_more(npu, tmp_path, unseen):
    image = tmp_path / "a.npu"
    assert npu(f"compile workload:{unseen} --sparsity 0.5 -o {image}").status == 0
    cycles = []
    for count in range(4):
        ran = npu(f"latency {image} --open-gates {count} --json -")
        assert ran.status == 0, ran
        total = json.loads(ran.out)["total"]
        cycles.append(total["cycles"])
    assert cycles == sorted(set(cycles))
    decided = json.loads(npu(f"latency {image} --json -").out)
    assert decided["decided"] == "random inputs on the twin"
    assert cycles[0] <= decided["total"]["cycles"] <= cycles[-1]


def test_what_is_refused(refused, zoo):
    refused(
        "latency workload:written --open-gates 4", match="has 3 gates: 0 to 3 can be open, not 4"
    )
    refused("latency commands --open-gates 1", match="has no gates: leave out how many are open")
    sound = zoo / "commands_rnnt" / "utterances" / "test_sent_284.wav"
    refused(
        f"latency workload:written --audio {sound} --open-gates 1",
        match="a sound opens gates by itself: leave --audio or --open-gates out",
    )


@pytest.mark.parametrize("unseen", ["written", "skipped"])
def test_a_sound_opens_gates_as_it_does_on_the_twin(npu, zoo, tmp_path, unseen):
    sound, image = zoo / "commands_rnnt" / "utterances" / "test_sent_284.wav", tmp_path / "a.npu"
    assert npu(f"compile workload:{unseen} --sparsity 0.5 -o {image}").status == 0
    ran = npu(f"latency {image} --audio {sound} --json -")
    assert ran.status in (0, 1), ran
    told = json.loads(ran.out)
    twin = json.loads(npu(f"transcribe {image} {sound} --engine twin --json -").out)["chip"]
    assert told["decided"] == "the twin heard the sound"
    assert told["total"]["cycles"] == pytest.approx(twin["mean_cycles"])
    assert told["frame"]["cycles"]["max"] == twin["max_cycles"]


def test_a_file_with_branches(npu, tmp_path):
    """Compiled, run on both engines, and timed as any other."""
    rng = np.random.default_rng(3)
    spec = random_branches(rng)
    model, given, image = (tmp_path / name for name in ("m.tflite", "in.npz", "m.npu"))
    model.write_bytes(write(spec))
    shapes = [(3, *spec.tensors[index].shape) for index in spec.inputs]
    calls = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    np.savez(given, **{f"input{k}": array for k, array in enumerate(calls)})
    assert npu(f"compile {model} -o {image}").status == 0
    answers = []
    for source, engine in ((model, "kernels"), (model, "twin"), (image, "twin")):
        out = tmp_path / "out.npz"
        args = f"run {source} --input {given} --output {out} --engine {engine}"
        assert npu(args).status == 0
        answers.append(out.read_bytes())
    assert answers[0] == answers[1] == answers[2]
    told = json.loads(npu(f"latency {model} --json -").out)
    assert told["decided"] == "random inputs on the twin"
