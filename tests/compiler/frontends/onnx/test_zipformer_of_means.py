"""icefall's first streaming Zipformer, as its own export wrote it, beside onnxruntime and TFLM.

Every layer adds a mean over all that was heard, which no count of int8 and no int8 alone can hold.
"""

from itertools import pairwise

import numpy as np
import onnx
import pytest

from compiler import compile_model, load_model
from compiler.floats.means import CALLS
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import read_float
from compiler.frontends.onnx.transducer import quantise_transducer
from compiler.reference import search_of
from kernels import Interpreter
from npu.api.chip import Chip
from npu.errors import UnsupportedError
from npu.files import write_folder
from npu.runtime.sessions import TransducerSession
from npu.speech.kaldi import KaldiExtractor
from tests.conftest import ROOT
from tests.float_models import decibels, real
from tests.icefall_exports import answers, speech, unpacked
from tests.kaldi_frontends import kaldi_frontend

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

FOLDER = ROOT / "tests" / "vectors" / "float" / "zipformer_of_means"
BINS, TAKEN, HOP, FRAMES, WIDTH = 24, 39, 32, 8, 24
STEP, ZERO = 0.1, 20
HEARD = 64
"""Calls of speech, 512 frames of the encoder's."""
LONG = CALLS + 64
"""Calls after which shares have long stayed as they are."""
STATES = ("cached_avg_0", "cached_avg_1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As icefall leaves it."""
    place = tmp_path_factory.mktemp("zipformer") / "model"
    return unpacked(FOLDER, place)


@pytest.fixture(scope="module")
def calls():
    """(calls, 1, TAKEN, BINS) of speech, on a grid of STEP; behind `HEARD` it comes again, in
    another order."""
    front = KaldiExtractor(kaldi_frontend(bins=BINS, call_hop=HOP), STEP, ZERO, TAKEN)
    heard = front.accept(speech())[:HEARD]
    more = np.random.default_rng(3).integers(0, HEARD, LONG - HEARD)
    all_calls = np.concatenate([heard, heard[more]])
    return ((all_calls[:, None].astype(np.float32) - ZERO) * STEP).astype(np.float32)


@pytest.fixture(scope="module")
def made(folder, calls):
    return quantise_transducer(folder, Samples({"x": calls[:HEARD]}))


@pytest.fixture(scope="module")
def wanted(folder, calls):
    """What onnxruntime makes of the file, states carried: (calls, FRAMES, WIDTH), and the means
    behind every call, by state (calls, WIDTH)."""
    found, means = [], {name: [] for name in STATES}
    for answer in answers(folder / "encoder.onnx", calls):
        found.append(answer["encoder_out"][0])
        for name, kept in means.items():
            kept.append(answer[f"new_{name}"].ravel())
    return np.array(found), {name: np.array(kept) for name, kept in means.items()}


@pytest.fixture(scope="module")
def found(made, calls):
    """What the kernels make of it, as `wanted` has it; means a call later."""
    encoder = made.parts["encoder"]
    graph, given = encoder.graph, encoder.grid("x")
    kernels, at = Interpreter(graph), {t.name: i for i, t in enumerate(graph.tensors)}
    answers, means = [], {name: [] for name in STATES}
    for x in calls:
        (answer,) = kernels.invoke([given.quantised(x)])
        answers.append(real(answer, graph.tensors[graph.outputs[0]])[0])
        for name, kept in means.items():
            kept.append(real(kernels.tensor(at[name]), graph.tensors[at[name]]).ravel())
    steps = {name: float(graph.tensors[at[name]].quantization.scale[0]) for name in STATES}
    return np.array(answers), {name: np.array(kept) for name, kept in means.items()}, steps


def test_the_float_graph_is_the_file(made, calls, wanted):
    """Call for call as long as shares become less, and near it from there on."""
    source = made.parts["encoder"].source
    given = {name for node in source.graph.nodes for name in node.outputs}
    assert not source.graph.integers & given
    answers = [a[source.graph.outputs[0]][0] for a in run(source.graph, Samples({"x": calls}))]
    np.testing.assert_allclose(answers[:CALLS], wanted[0][:CALLS], atol=1e-4)
    beyond = decibels(wanted[0][CALLS:], np.array(answers)[CALLS:])
    print(f"\nshares of 1/{CALLS} for ever: {beyond:.1f} dB beside the file")
    assert 45 < beyond < 90


def test_it_loses_little(wanted, found):
    """However long it hears, 22 dB over every stretch of 25 calls, which is 200 frames."""
    lost = {
        f"{a} to {b}": round(decibels(wanted[0][a:b], found[0][a:b]), 1)
        for a, b in pairwise([0, 25, HEARD, 128, CALLS, LONG])
    }
    print(f"\nsignal to quantisation noise by calls {lost}")
    assert wanted[0].shape == found[0].shape == (LONG, FRAMES, WIDTH)
    assert min(lost.values()) > 27


@pytest.mark.parametrize("name", STATES)
def test_a_mean_does_not_drift(wanted, found, name):
    """An int8 alone is off by 3.6 steps behind 128 calls, and its answers lose 3 dB."""
    errors = (found[1][name][1:] - wanted[1][name][:-1]) / found[2][name]
    settled = [errors[a:b] for a, b in pairwise([8, HEARD, 128, CALLS, LONG - 1])]
    rms = [round(float(np.sqrt(np.mean(each**2))), 2) for each in settled]
    print(f"\n{name}: off by {rms} steps")
    assert max(rms) < 2


def test_kernels_are_tflm(made, calls):
    """Shares of all three sizes, and the end of what is known beforehand."""
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    encoder = made.parts["encoder"]
    theirs = runtime.Interpreter.from_bytes(encoder.data, arena_size=8 << 20)
    kernels, given = Interpreter(encoder.graph), encoder.grid("x")
    for x in calls:
        call = given.quantised(x)
        theirs.set_input(call, 0)
        theirs.invoke()
        np.testing.assert_array_equal(kernels.invoke([call])[0], theirs.get_output(0))


def test_chip_and_kernels_hear_the_same(made, calls, tmp_path):
    write_folder(tmp_path / "int8", made.files)
    model = load_model(tmp_path / "int8")
    assert (model.config.encoder.frames_per_call, model.frames_out) == (TAKEN, FRAMES)
    given = made.parts["encoder"].grid("x").quantised(calls[:6, 0])
    wanted = search_of(model).accept_calls(given)
    chip = TransducerSession(compile_model(model, Chip("edge", program_bytes=65536)))
    assert chip.accept_calls(given, 2) == wanted and len({*map(tuple, wanted)}) > 2


# --- what is refused ------------------------------------------------------------------------------
def test_a_mean_that_goes_on_from_another_frame(folder, calls, tmp_path):
    model = onnx.load(folder / "encoder.onnx")
    given = {output: node for node in model.graph.node for output in node.output}
    rate = next(node for node in model.graph.node if node.op_type == "Reciprocal")
    readers = [rate]
    while readers[-1].op_type != "Gather":
        output = readers[-1].output[0]
        takers = [n for n in model.graph.node if output in n.input and n.op_type != "Shape"]
        readers.append(next((n for n in takers if n.op_type == "Gather"), takers[0]))
    index = given[readers[-1].input[1]]
    index.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(np.array(3)))
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(UnsupportedError, match="of which the last frame's is carried"):
        read_float(tmp_path / "encoder.onnx", Samples({"x": calls[:4]}), outputs=["encoder_out"])


def test_a_mean_over_another_count(folder, calls, tmp_path):
    """Of every second frame: what never ends, and is no mean."""
    model = onnx.load(folder / "encoder.onnx")
    rate = next(node for node in model.graph.node if node.op_type == "Reciprocal")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(2), "two"))
    at = list(model.graph.node).index(rate)
    model.graph.node.insert(at, onnx.helper.make_node("Mul", [rate.input[0], "two"], ["twice"]))
    rate.input[0] = "twice"
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(UnsupportedError, match="still changes after 256 calls"):
        read_float(tmp_path / "encoder.onnx", Samples({"x": calls[:4]}), outputs=["encoder_out"])
