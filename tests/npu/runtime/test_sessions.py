"""The host's side: recorded vectors and utterances, chunks, and inputs that do not fit."""

import dataclasses
import json

import numpy as np
import pytest

from compiler import compile_model, load_model
from kernels import Transducer
from npu.chip.params import load_params, params_from_dict
from npu.errors import InputError, MachineError
from npu.model.recording import Recording
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession, TransducerSession
from npu.speech.search import GreedySearch, SearchRules
from tests.conftest import ROOT
from tests.random_graphs import random_chip

VECTORS = ROOT / "tests" / "vectors" / "tflite"
UTTERANCES = ROOT / "npu" / "zoo" / "commands_rnnt" / "utterances"
FIXTURES = ("fc_relu", "fc_wide", "joint", "lstm_small", "lstm_320", "lstm_stream", "predictor")
CHIPS = {name: load_params(name) for name in ("tiny", "edge", "max")}
# Everything odd at once, and so small that nearly all weights are streamed.
CHIPS["odd"] = params_from_dict(
    random_chip(np.random.default_rng(12)).model_dump()
    | {"lanes": 5, "threads": 3, "bus_bytes": 16, "bank_bytes": 4096, "param_bytes": 16384}
    | {"sram_bytes": 32768, "activation_entries": 2048},
    "odd",
)


# --- recorded vectors ---------------------------------------------------------------------------
@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("name", FIXTURES)
def test_recorded_vectors(name, chip):
    recorded = np.load(VECTORS / f"{name}.npz")
    session = GraphSession(compile_model(load_model(VECTORS / f"{name}.tflite"), CHIPS[chip]))
    inputs = [recorded[f"input{i}"] for i in range(len(session.image.header.invoke.inputs))]
    found = np.stack([session.invoke(call)[0] for call in zip(*inputs, strict=True)])
    assert found.dtype == recorded["output"].dtype
    np.testing.assert_array_equal(found, recorded["output"])


def test_the_odd_chip_streams():
    image = compile_model(load_model(VECTORS / "lstm_320.tflite"), CHIPS["odd"])
    assert any(layer.tiles > 4 for layer in image.header.layers if not layer.resident)


def test_reset_begins_again():
    recorded = np.load(VECTORS / "lstm_stream.npz")
    session = GraphSession(compile_model(load_model(VECTORS / "lstm_stream.tflite"), CHIPS["edge"]))
    for _ in range(2):
        for call, expected in zip(recorded["input0"][:5], recorded["output"][:5], strict=True):
            np.testing.assert_array_equal(session.invoke([call])[0], expected)
        session.reset()


def test_utilisation_of_a_wide_layer():
    session = GraphSession(compile_model(load_model(VECTORS / "fc_wide.tflite"), CHIPS["edge"]))
    session.invoke([np.load(VECTORS / "fc_wide.npz")["input0"][0]])
    counters = session.machine.counters
    assert counters.macs / (counters.matvec_cycles * 16) >= 0.97
    assert counters.matvec_cycles <= 21_200


# --- the transducer -----------------------------------------------------------------------------
def speech(chip):
    return compile_model(load_model("commands_rnnt"), CHIPS[chip])


SPEECH = speech("edge")
CALLS = SPEECH.header.entry("frames").loop.calls


def transcribe(image, name, **options):
    recorded = np.load(UTTERANCES / f"{name}.npz")
    recording = Recording()
    session = TransducerSession(image, recording=recording)
    tokens = session.accept(recorded["features"], **options)
    assert tokens == recorded["tokens"].tolist()
    for key in ("encoder_out", "logits"):
        found = np.stack(recording.vectors[key])
        np.testing.assert_array_equal(found, recorded[key].reshape(found.shape), err_msg=key)
    return session


NAMES = sorted(path.stem for path in UTTERANCES.glob("*.npz"))


def test_all_utterances_are_there():
    assert len(NAMES) == 13


@pytest.mark.parametrize("name", NAMES)
def test_recorded_utterances(name):
    transcribe(SPEECH, name)


@pytest.mark.parametrize("chip", ["tiny", "max"])
def test_recorded_utterances_on_other_chips(chip):
    image = speech(chip)
    for name in NAMES[:2]:
        transcribe(image, name)


def test_chunks_give_the_same():
    recorded = np.load(UTTERANCES / f"{NAMES[4]}.npz")
    expected = recorded["tokens"].tolist()
    calls = len(recorded["features"])
    for per_start in (1, 2, 7, CALLS):
        session = transcribe(SPEECH, NAMES[4], calls_per_start=per_start)
        assert len(session.cycles) == -(-calls // per_start)
    session = TransducerSession(SPEECH)
    tokens, at = [], 0
    for size in (1, 5, 0, 11, calls):
        tokens += session.accept(recorded["features"][at : at + size], calls_per_start=3)
        at += size
    assert tokens == expected
    # A new utterance starts from nothing.
    session.reset()
    assert session.accept(recorded["features"]) == expected


def test_every_symbol_knows_its_call():
    recorded = np.load(UTTERANCES / f"{NAMES[4]}.npz")
    model = load_model("commands_rnnt")
    graphs = (model.graphs[role] for role in ("encoder", "decoder", "joiner"))
    kernels = GreedySearch(Transducer(*graphs), SearchRules(0, 0, 6))
    wanted = kernels.accept_calls(recorded["features"])
    assert any(len(symbols) > 1 for symbols in wanted)
    for per_start in (1, 5, CALLS):
        session = TransducerSession(SPEECH)
        assert session.accept_calls(recorded["features"], per_start) == wanted


def test_a_restart_counts_to_the_call_behind_it():
    features = np.load(UTTERANCES / f"{NAMES[0]}.npz")["features"][:2]
    session = TransducerSession(SPEECH)
    first = session.accept_calls(features)
    session.restart()
    assert session.accept_calls(features) == first
    before, second = session.cycles[:2], session.cycles[2:]
    assert second == [before[0] + session.reset_cycles, before[1]]
    session.reset()
    session.accept_calls(features)
    assert session.cycles[4:] == before


def test_starting_less_often_costs_no_more():
    cycles = {n: sum(transcribe(SPEECH, NAMES[0], calls_per_start=n).cycles) for n in (1, 16)}
    assert cycles[16] < cycles[1]


# --- what does not fit --------------------------------------------------------------------------
def test_wrong_inputs_of_a_graph():
    session = GraphSession(compile_model(load_model(VECTORS / "predictor.tflite"), CHIPS["tiny"]))
    (tensor,) = session.image.header.invoke.inputs
    good = np.zeros(tensor.shape, np.int32)
    before = len(session.cycles)
    limit = tensor.index_limit
    for inputs, message in (
        ([], "takes 1 inputs, not 0"),
        ([good, good], "takes 1 inputs, not 2"),
        ([good.astype(np.int64)], r"input 0 of predictor.tflite must be int32 .*, not int64"),
        ([good.reshape(-1)[:0]], r"input 0 of .* must be int32"),
        ([good - 1], f"an index must be 0 to {limit - 1}, not -1"),
        ([good + limit], f"an index must be 0 to {limit - 1}, not {limit}"),
    ):
        with pytest.raises(InputError, match=message):
            session.invoke(inputs)
    assert len(session.cycles) == before
    session.invoke([good + limit - 1])


def test_wrong_inputs_of_a_transducer():
    session = TransducerSession(SPEECH)
    shape = session.features.shape
    for features in (
        np.zeros((2, *shape[1:]), np.int16),
        np.zeros((2, *shape[1:-1], shape[-1] + 1), np.int8),
        np.zeros(shape[1:], np.int8),
    ):
        with pytest.raises(InputError, match=r"features must be int8 \(calls, "):
            session.accept(features)
    for n in (0, -1, session.calls + 1):
        with pytest.raises(InputError, match=f"calls_per_start must be 1 to {session.calls}"):
            session.accept(np.zeros((1, *shape[1:]), np.int8), calls_per_start=n)
    assert session.accept(np.zeros((0, *shape[1:]), np.int8)) == []


def test_the_other_kind_of_image():
    graph = compile_model(load_model(VECTORS / "joint.tflite"), CHIPS["tiny"])
    with pytest.raises(InputError, match=r"joint.tflite is a single graph, not a transducer"):
        TransducerSession(graph)
    with pytest.raises(InputError, match="commands_rnnt is a transducer, not a single graph"):
        GraphSession(SPEECH)


def with_info(**changes):
    info = SPEECH.header.transducer.model_copy(update=changes)
    return Image(
        SPEECH.header.model_copy(update={"transducer": info}), SPEECH.program, SPEECH.memory
    )


def test_a_chip_that_reports_nonsense():
    features = np.load(UTTERANCES / f"{NAMES[0]}.npz")["features"]
    with pytest.raises(MachineError, match="the chip emitted a token that does not exist"):
        TransducerSession(with_info(tokens=("only",))).accept(features)
    with pytest.raises(MachineError, match=r"the chip reports \d+ tokens for"):
        TransducerSession(with_info(max_symbols_per_frame=0)).accept(features, calls_per_start=16)


def test_observers_see_every_command():
    seen = []
    recording = Recording()
    session = TransducerSession(
        SPEECH, observer=lambda retire, machine: seen.append(retire.pc), recording=recording
    )
    features = np.load(UTTERANCES / f"{NAMES[0]}.npz")["features"][:3]
    session.accept(features)
    assert len(seen) == session.machine.counters.commands
    assert len(recording.vectors["encoder_out"]) == 3
    assert json.dumps(session.machine.counters.as_dict())
    assert dataclasses.is_dataclass(recording)
