"""Encoders of several frames a call, as icefall exports them, beside a loop of onnxruntime."""

import json

import numpy as np
import onnx
import pytest

from compiler import compile_model, load_model
from compiler.floats.counters import counters_of
from compiler.floats.files import free_inputs
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import read_float
from compiler.frontends.onnx.transducer import data_in, quantise_transducer
from compiler.reference import search_of
from kernels import Interpreter
from npu.chip.params import load_params
from npu.errors import ModelError, UnsupportedError
from npu.runtime.sessions import TransducerSession

ort = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("torch", reason="the extra `train` is not installed")
from tests.float_models import decibels, integers, real  # noqa: E402  (it takes torch)
from tests.streaming_encoders import (  # noqa: E402
    CONTEXT,
    FRAMES,
    HOP,
    LAYERS,
    LEFT,
    TAKEN,
    TAPS,
    WIDTH,
    export,
    frames_of_sound,
)

CALLS, SEED = 40, 1
BAR = 22
"""Decibels, as for a projected LSTM."""


class Floats:
    """The parts of a folder by onnxruntime, in the loop that sherpa-onnx runs."""

    def __init__(self, folder, counts):
        self.parts = {
            role: ort.InferenceSession(folder / f"{role}.onnx", providers=["CPUExecutionProvider"])
            for role in ("encoder", "decoder", "joiner")
        }
        self.counts, self.taken = counts, 0
        self.attn = np.zeros((LAYERS, LEFT, 1, WIDTH), np.float32)
        self.conv = np.zeros((LAYERS, TAPS - 1, 1, WIDTH), np.float32)

    def encode(self, x):
        """(1, TAKEN, bins) to (FRAMES, width)."""
        feeds = {"x": x, "cached_attn": self.attn, "cached_conv": self.conv}
        feeds["processed_lens"] = np.array([self.taken])
        made, self.attn, self.conv, *then = self.parts["encoder"].run(None, feeds)
        self.taken = int(then[0][0]) if self.counts else self.taken + HOP
        return made[0]

    def logits(self, encoded, symbols):
        """(symbols,), behind the last symbols."""
        last = np.array([[0] * CONTEXT, symbols][bool(symbols)][-CONTEXT:], np.int64)
        last = np.concatenate([np.zeros(CONTEXT - len(last), np.int64), last])[np.newaxis]
        (decoded,) = self.parts["decoder"].run(None, {"y": last})
        feeds = {"encoder_out": encoded[np.newaxis], "decoder_out": decoded}
        return self.parts["joiner"].run(None, feeds)[0][0]


@pytest.fixture(scope="module", params=[True, False], ids=["state", "counted by the caller"])
def made(request, tmp_path_factory):
    """A folder, its models quantised, and the sound that calibrated them."""
    folder = tmp_path_factory.mktemp("chunks") / "model"
    export(folder, SEED, request.param)
    sound = frames_of_sound(2, CALLS)
    np.savez(folder / "calibration.npz", x=sound)
    return folder, request.param, quantise_transducer(folder, data_in(folder)), sound


def test_the_encoder_loses_little(made):
    """All frames of all calls, states carried, from the first one, whose caches are empty, on."""
    folder, counts, quantised, sound = made
    floats = Floats(folder, counts)
    wanted = np.array([floats.encode(x) for x in sound])
    graph = quantised.parts["encoder"].graph
    given, answer = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    kernels = Interpreter(graph)
    found = np.array([real(kernels.invoke([integers(x, given)])[0], answer)[0] for x in sound])
    assert found.shape == wanted.shape == (CALLS, FRAMES, WIDTH)
    lost = decibels(wanted, found)
    print(
        f"\nsignal to quantisation noise {lost:.1f} dB, of the first two calls "
        f"{decibels(wanted[:2], found[:2]):.1f} dB"
    )
    assert lost > BAR and decibels(wanted[:2], found[:2]) > BAR - 3


def test_the_float_graph_is_the_file(made):
    """Whatever became of the count: the simplified graph in floats, call for call."""
    folder, counts, quantised, sound = made
    floats, source = Floats(folder, counts), quantised.parts["encoder"].source
    assert not source.graph.integers
    for answer, x in zip(run(source.graph, source.samples), sound, strict=True):
        found = answer[source.graph.outputs[0]][0]
        np.testing.assert_allclose(found, floats.encode(x), atol=1e-4)


def test_symbols_are_those_of_the_float_loop(made):
    """Teacher-forced by what the float loop said, wherever it is sure; one symbol a frame."""
    folder, counts, quantised, sound = made
    floats, parts = Floats(folder, counts), quantised.parts
    ends = {role: Interpreter(part.graph) for role, part in parts.items()}
    graphs = {role: part.graph for role, part in parts.items()}
    step = float(graphs["joiner"].tensors[graphs["joiner"].outputs[0]].quantization.scale[0])
    heard, compared, others = [], 0, 0
    (decoded,) = ends["decoder"].invoke([np.zeros((1, 1), np.int32)])
    for x in sound:
        (encoded,) = ends["encoder"].invoke(
            [integers(x, graphs["encoder"].tensors[graphs["encoder"].inputs[0]])]
        )
        for ours, theirs in zip(encoded[0], floats.encode(x), strict=True):
            wanted = floats.logits(theirs, heard)
            taken = [graphs["joiner"].tensors[index].shape for index in graphs["joiner"].inputs]
            fed = [ours.reshape(taken[0]), decoded.reshape(taken[1])]
            found = ends["joiner"].invoke(fed)[0].ravel()
            second, first = np.sort(wanted)[-2:]
            if first - second > 4 * step:
                compared += 1
                others += found.argmax() != wanted.argmax()
            symbol = int(wanted.argmax())
            if symbol:
                heard.append(symbol)
                (decoded,) = ends["decoder"].invoke([np.full((1, 1), symbol, np.int32)])
    print(f"\n{compared} of {CALLS * FRAMES} frames compared, {others} differ")
    assert len(set(heard)) > 3 and compared > CALLS * FRAMES / 2 and others <= compared // 100


def test_chip_and_kernels_hear_the_same(made):
    folder, _, quantised, sound = made
    model = load_model(folder)
    config = json.loads(quantised.files["model.json"])
    assert (model.frames_out, config["max_symbols_per_frame"]) == (FRAMES, 1)
    assert config["encoder"]["frames_per_call"] == TAKEN
    assert config["frontend"]["call_hop"] == HOP
    encoder = model.graphs["encoder"]
    calls = np.array([integers(x, encoder.tensors[encoder.inputs[0]])[0] for x in sound[:6]])
    wanted = search_of(model).accept_calls(calls)
    assert len(wanted) == 6 * FRAMES and any(wanted)
    chip = TransducerSession(compile_model(model, load_params("edge")))
    assert chip.accept_calls(calls, 3) == wanted


# --- what is refused ------------------------------------------------------------------------------
def changed(made, tmp_path, change):
    """A folder whose encoder is another one."""
    folder = made[0]
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model = onnx.load(folder / "encoder.onnx")
    change(model)
    onnx.save(model, tmp_path / "encoder.onnx")
    return tmp_path


@pytest.mark.parametrize(("key", "value"), [("T", "20"), ("decode_chunk_len", "0"), ("T", "x")])
def test_metadata_of_another_model(made, tmp_path, key, value):
    def change(model):
        entry = next(each for each in model.metadata_props if each.key == key)
        entry.value = value

    folder = changed(made, tmp_path, change)
    with pytest.raises(ModelError, match=f"metadata says {key} '{value}', a call takes {TAKEN}"):
        quantise_transducer(folder, data_in(folder))


def test_a_count_that_never_ends(made, tmp_path):
    """A mask that follows every second call cannot be a state that moves along."""

    def change(model):
        node = next(n for n in model.graph.node if n.op_type == "LessOrEqual")
        count = node.input[0]
        two = onnx.numpy_helper.from_array(np.array(2 * HOP), "two")
        model.graph.initializer.append(two)
        at = list(model.graph.node).index(node)
        turned = onnx.helper.make_node("Mod", [count, "two"], ["turned"])
        model.graph.node.insert(at, turned)
        node.input[0] = "turned"

    folder = changed(made, tmp_path, change)
    samples = Samples({"x": made[3]})
    with pytest.raises(UnsupportedError, match="still changes after 256 calls, as processed_lens"):
        read_float(folder / "encoder.onnx", samples)


def test_counters_are_found(made):
    folder, counts, *_ = made
    model = onnx.load(folder / "encoder.onnx")
    declared = free_inputs(model)
    carried = {"processed_lens": "new_processed_lens"} if counts else {}
    (found,) = counters_of(model, declared, carried, {"x"}).items()
    assert found[0] == "processed_lens"
    assert (found[1].following, found[1].step) == (
        ("new_processed_lens", 0) if counts else (None, HOP)
    )
