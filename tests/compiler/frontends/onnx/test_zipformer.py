"""A streaming Zipformer that icefall's own export wrote, beside onnxruntime and TFLM."""

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.transducer import quantise_transducer
from compiler.reference import search_of
from kernels import Interpreter
from npu.chip.params import ChipParams, load_params
from npu.files import write_folder
from npu.model.operators.table import Lookup
from npu.runtime.sessions import TransducerSession
from npu.speech.kaldi import KaldiExtractor
from tests.conftest import ROOT
from tests.icefall_exports import answers, speech, unpacked
from tests.kaldi_frontends import kaldi_frontend

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

FOLDER = ROOT / "tests" / "vectors" / "float" / "zipformer"
BINS, TAKEN, HOP, FRAMES, WIDTH = 24, 45, 32, 8, 24
STEP, ZERO = 0.1, 20
SECONDS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As icefall leaves it."""
    place = tmp_path_factory.mktemp("zipformer") / "model"
    return unpacked(FOLDER, place)


@pytest.fixture(scope="module")
def calls():
    """(calls, 1, TAKEN, BINS) of speech, on a grid of STEP."""
    heard = speech()[: SECONDS * 16_000]
    front = KaldiExtractor(kaldi_frontend(bins=BINS, call_hop=HOP), STEP, ZERO, TAKEN)
    return ((front.accept(heard)[:, None].astype(np.float32) - ZERO) * STEP).astype(np.float32)


@pytest.fixture(scope="module")
def made(folder, calls):
    return quantise_transducer(folder, Samples({"x": calls}))


@pytest.fixture(scope="module")
def wanted(folder, calls):
    """What onnxruntime makes of the file: (calls, FRAMES, WIDTH), states carried."""
    return np.array([each["encoder_out"][0] for each in answers(folder / "encoder.onnx", calls)])


def test_the_float_graph_is_the_file(made, wanted):
    """Masks of `processed_lens` among it, from the first call, which sees no cached key, on."""
    source = made.parts["encoder"].source
    given = {name for node in source.graph.nodes for name in node.outputs}
    assert not source.graph.integers & given
    for answer, like in zip(run(source.graph, source.samples), wanted, strict=True):
        np.testing.assert_allclose(answer[source.graph.outputs[0]][0], like, atol=1e-3)


def test_it_loses_little(made, wanted):
    graph = made.parts["encoder"].graph
    # Three of the subsampling and one of its block; three feed-forward parts and two convolutions
    # a layer.
    assert sum(isinstance(op, Lookup) for op in graph.operators) == 4 + 2 * 5
    lost = {role: part.noise()[-1].decibels for role, part in made.parts.items()}
    print(f"\nsignal to quantisation noise {lost}")
    assert lost["encoder"] > 25 and lost["decoder"] > 30 and lost["joiner"] > 35
    assert wanted.shape[1:] == (FRAMES, WIDTH)


def test_kernels_are_tflm(made, calls):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    encoder = made.parts["encoder"]
    theirs = runtime.Interpreter.from_bytes(encoder.data, arena_size=8 << 20)
    kernels, given = Interpreter(encoder.graph), encoder.grid("x")
    for x in calls[:6]:
        call = given.quantised(x)
        theirs.set_input(call, 0)
        theirs.invoke()
        np.testing.assert_array_equal(kernels.invoke([call])[0], theirs.get_output(0))


def test_litert_runs_it_too(made, calls):
    """Its products differ by a step in a few elements of a thousand, and states keep that."""
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="the extra `peers` is not installed"
    )
    encoder = made.parts["encoder"]
    theirs = litert.Interpreter(model_content=encoder.data, num_threads=1)
    theirs.allocate_tensors()
    (given,), (told,) = theirs.get_input_details(), theirs.get_output_details()
    (output,) = (encoder.graph.tensors[i] for i in encoder.graph.outputs)
    kernels, ours, found = Interpreter(encoder.graph), [], []
    for call in encoder.grid("x").quantised(calls):
        theirs.set_tensor(given["index"], call)
        theirs.invoke()
        found.append(theirs.get_tensor(told["index"]).astype(float))
        ours.append(kernels.invoke([call])[0].astype(float))
    wanted = np.array(ours) - output.quantization.zero_point
    lost = np.sum(wanted**2) / np.sum((np.array(found) - np.array(ours)) ** 2)
    assert 10 * np.log10(lost) > 22


def test_chip_and_kernels_hear_the_same(made, calls, tmp_path):
    write_folder(tmp_path / "int8", made.files)
    model = load_model(tmp_path / "int8")
    assert (model.config.encoder.frames_per_call, model.frames_out) == (TAKEN, FRAMES)
    given = made.parts["encoder"].grid("x").quantised(calls[:4, 0])
    wanted = search_of(model).accept_calls(given)
    # Ten layers of many small operators: more commands than edge has room for.
    params = ChipParams(**(load_params("edge").model_dump() | {"program_bytes": 1 << 16}))
    chip = TransducerSession(compile_model(model, params))
    assert chip.accept_calls(given, 2) == wanted and any(wanted)
