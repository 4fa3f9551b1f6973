"""icefall's LSTM and Conv-Emformer transducers, as their own exports wrote them, beside onnxruntime
and TFLM."""

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.transducer import quantise_transducer
from compiler.reference import search_of
from kernels import Interpreter
from npu.chip.params import load_params
from npu.files import write_folder
from npu.runtime.sessions import TransducerSession
from npu.speech.kaldi import KaldiExtractor
from tests.conftest import ROOT
from tests.float_models import decibels, real
from tests.icefall_exports import answers, speech, unpacked
from tests.kaldi_frontends import kaldi_frontend

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

FOLDERS = ROOT / "tests" / "vectors" / "float"
BINS, STEP, ZERO = 24, 0.1, 20
FAMILIES = {"icefall_lstm": (9, 4, 1, 256), "conv_emformer": (51, 32, 8, 64)}
"""Frames that a call takes, from one call to the next, frames that it gives, and calls."""


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request, tmp_path_factory):
    """Its name and its folder, as icefall leaves it."""
    place = tmp_path_factory.mktemp(request.param) / "model"
    return request.param, unpacked(FOLDERS / request.param, place)


@pytest.fixture(scope="module")
def calls(family):
    """(calls, 1, frames, BINS) of speech, on a grid of STEP."""
    taken, hop, _, count = FAMILIES[family[0]]
    front = KaldiExtractor(kaldi_frontend(bins=BINS, call_hop=hop), STEP, ZERO, taken)
    heard = front.accept(speech())[:count]
    return ((heard[:, None].astype(np.float32) - ZERO) * STEP).astype(np.float32)


@pytest.fixture(scope="module")
def made(family, calls):
    return quantise_transducer(family[1], Samples({"x": calls}))


@pytest.fixture(scope="module")
def wanted(family, calls):
    """What onnxruntime makes of the file: (calls, frames, width), states carried."""
    return np.array([each["encoder_out"][0] for each in answers(family[1] / "encoder.onnx", calls)])


def test_the_float_graph_is_the_file(made, wanted):
    source = made.parts["encoder"].source
    answers = [a[source.graph.outputs[0]][0] for a in run(source.graph, source.samples)]
    np.testing.assert_allclose(answers, wanted, atol=1e-4)


def test_it_loses_little(family, made, calls, wanted):
    """Over 256 frames and more of the encoder's."""
    encoder = made.parts["encoder"]
    graph, given = encoder.graph, encoder.grid("x")
    kernels, answer = Interpreter(graph), encoder.graph.tensors[graph.outputs[0]]
    found = np.array([real(kernels.invoke([given.quantised(x)])[0], answer)[0] for x in calls])
    lost = decibels(wanted, found)
    print(f"\n{family[0]}: signal to quantisation noise {lost:.1f} dB")
    assert wanted.shape[:2] == (len(calls), FAMILIES[family[0]][2])
    assert wanted.shape[0] * wanted.shape[1] >= 256 and lost > 22


def test_kernels_are_tflm(made, calls):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    encoder = made.parts["encoder"]
    theirs = runtime.Interpreter.from_bytes(encoder.data, arena_size=8 << 20)
    kernels, given = Interpreter(encoder.graph), encoder.grid("x")
    for x in calls[:32]:
        call = given.quantised(x)
        theirs.set_input(call, 0)
        theirs.invoke()
        np.testing.assert_array_equal(kernels.invoke([call])[0], theirs.get_output(0))


def test_chip_and_kernels_hear_the_same(family, made, calls, tmp_path):
    taken, _, frames, _ = FAMILIES[family[0]]
    write_folder(tmp_path / "int8", made.files)
    model = load_model(tmp_path / "int8")
    assert (model.config.encoder.frames_per_call, model.frames_out) == (taken, frames)
    given = made.parts["encoder"].grid("x").quantised(calls[: 64 // frames, 0])
    wanted = search_of(model).accept_calls(given)
    chip = TransducerSession(compile_model(model, load_params("edge")))
    assert chip.accept_calls(given, 2) == wanted and any(wanted)
