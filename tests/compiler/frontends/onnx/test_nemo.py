"""Transducers as NeMo exports them, beside a loop of onnxruntime and sherpa-onnx itself."""

import json

import numpy as np
import onnx
import pytest

from compiler import compile_model, load_model
from compiler.floats.files import free_inputs
from compiler.floats.run import run
from compiler.floats.states import match_states
from compiler.frontends.onnx.nemo import tokens_from_blank
from compiler.frontends.onnx.transducer import data_in, quantise_transducer
from compiler.reference import search_of
from kernels import Interpreter
from npu.chip.params import load_params
from npu.errors import ModelError, UnsupportedError
from npu.runtime.sessions import TransducerSession

ort = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("torch", reason="the extra `train` is not installed")
from tests.float_models import decibels, integers, real  # noqa: E402  (it takes torch)
from tests.nemo_encoders import (  # noqa: E402
    BINS,
    FRAMES,
    HOP,
    LAYERS,
    LEFT,
    PAD,
    SYMBOLS,
    TAKEN,
    TAPS,
    UNITS,
    WIDTH,
    export,
)

CALLS, SEED, MOST = 40, 3, 10
BLANK = SYMBOLS - 1


def frames_of_sound(seed, calls):
    """Features that vary as sound does, (calls, 1, BINS, TAKEN)."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((calls * HOP + PAD, BINS))
    frames = np.array(steps)
    for at in range(1, len(frames)):
        frames[at] = 0.8 * frames[at - 1] + 0.6 * steps[at]
    cut = [frames[call * HOP : call * HOP + TAKEN].T[np.newaxis] for call in range(calls)]
    return np.array(cut, np.float32)


class Floats:
    """The parts of a folder by onnxruntime, in the loop that NeMo's streaming examples run."""

    def __init__(self, folder):
        self.parts = {
            role: ort.InferenceSession(folder / f"{role}.onnx", providers=["CPUExecutionProvider"])
            for role in ("encoder", "decoder", "joiner")
        }
        self.channel = np.zeros((1, LAYERS, LEFT, WIDTH), np.float32)
        self.time = np.zeros((1, LAYERS, WIDTH, TAPS - 1), np.float32)
        self.known = np.zeros(1, np.int64)
        self.states = (np.zeros((1, 1, UNITS), np.float32),) * 2

    def _run(self, role, *given):
        session = self.parts[role]
        names = [each.name for each in session.get_inputs()]
        return session.run(None, dict(zip(names, given, strict=True)))

    def encode(self, x):
        """(1, BINS, TAKEN) to (FRAMES, WIDTH)."""
        given = x, np.array([TAKEN]), self.channel, self.time, self.known
        made, _, self.channel, self.time, self.known = self._run("encoder", *given)
        return made[0].T

    def decode(self, symbol):
        """(UNITS, 1), behind one symbol more."""
        given = np.array([[symbol]], np.int32), np.ones(1, np.int32), *self.states
        made, _, *self.states = self._run("decoder", *given)
        return made[0]

    def join(self, encoded, decoded):
        return self._run("joiner", encoded[None, :, None], decoded[None])[0].ravel()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder, its models quantised, and the sound that calibrated them."""
    folder = tmp_path_factory.mktemp("nemo") / "model"
    export(folder, SEED)
    sound = frames_of_sound(2, CALLS)
    np.savez(folder / "calibration.npz", audio_signal=sound)
    return folder, quantise_transducer(folder, data_in(folder)), sound


def test_the_float_graph_is_the_file(made):
    """Frames first; what counts cached frames has become a state."""
    folder, quantised, sound = made
    floats, source = Floats(folder), quantised.parts["encoder"].source
    assert source.graph.shapes[source.graph.inputs[0]] == (1, TAKEN, BINS)
    for answer, x in zip(run(source.graph, source.samples), sound, strict=True):
        found = answer[source.graph.outputs[0]]
        assert found.shape == (1, FRAMES, WIDTH)
        np.testing.assert_allclose(found[0], floats.encode(x), atol=1e-4)


def test_layers_have_states_of_their_own(made):
    """Of the caches of all layers in one tensor each: a range for every layer."""
    states = made[1].parts["encoder"].source.graph.states
    shapes = [state.initial.size for state in states]
    assert shapes.count(LEFT * WIDTH) == LAYERS and shapes.count((TAPS - 1) * WIDTH) == LAYERS


def test_the_encoder_loses_little(made):
    folder, quantised, sound = made
    floats = Floats(folder)
    wanted = np.array([floats.encode(x) for x in sound])
    graph = quantised.parts["encoder"].graph
    given, answer = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    kernels = Interpreter(graph)
    found = np.array(
        [real(kernels.invoke([integers(x.transpose(0, 2, 1), given)])[0], answer)[0] for x in sound]
    )
    assert decibels(wanted, found) > 28 and decibels(wanted[:2], found[:2]) > 25
    assert quantised.parts["decoder"].noise()[-1].decibels > 30
    assert quantised.parts["joiner"].noise()[-1].decibels > 30


def test_symbols_count_from_the_blank(made):
    """Teacher-forced by what the float loop said; ours are one more than theirs."""
    folder, quantised, sound = made
    floats, parts = Floats(folder), quantised.parts
    ends = {role: Interpreter(part.graph) for role, part in parts.items()}
    graphs = {role: part.graph for role, part in parts.items()}
    step = float(graphs["joiner"].tensors[graphs["joiner"].outputs[0]].quantization.scale[0])
    (ours,), theirs = ends["decoder"].invoke([np.zeros((1, 1), np.int32)]), floats.decode(BLANK)
    compared = others = 0
    symbols = set()
    for x in sound:
        given = graphs["encoder"].tensors[graphs["encoder"].inputs[0]]
        (encoded,) = ends["encoder"].invoke([integers(x.transpose(0, 2, 1), given)])
        for own, like in zip(encoded[0], floats.encode(x), strict=True):
            for _ in range(MOST):
                wanted = floats.join(like, theirs)
                taken = [graphs["joiner"].tensors[at].shape for at in graphs["joiner"].inputs]
                fed = [own.reshape(taken[0]), ours.reshape(taken[1])]
                found = ends["joiner"].invoke(fed)[0].ravel()
                second, first = np.sort(wanted)[-2:]
                if first - second > 4 * step:
                    compared += 1
                    others += found.argmax() != (wanted.argmax() + 1) % SYMBOLS
                symbol = int(wanted.argmax())
                if symbol == BLANK:
                    break
                symbols.add(symbol)
                theirs = floats.decode(symbol)
                (ours,) = ends["decoder"].invoke([np.full((1, 1), symbol + 1, np.int32)])
    print(f"\n{compared} compared, {others} differ, {len(symbols)} symbols")
    assert len(symbols) > 3 and compared > CALLS * FRAMES and others <= compared // 100


def test_chip_and_kernels_hear_the_same(made):
    folder, quantised, sound = made
    config = json.loads(quantised.files["model.json"])
    assert config["encoder"]["frames_per_call"] == TAKEN
    assert config["max_symbols_per_frame"] == MOST
    kept = {key: config["frontend"][key] for key in ("mel", "window", "call_hop", "bins")}
    assert kept == {"mel": "slaney", "window": "hann", "call_hop": HOP, "bins": BINS}
    model = load_model(folder)
    assert model.tokens.symbols[:3] == ("<blk>", " a", "b")
    encoder = model.graphs["encoder"]
    given = encoder.tensors[encoder.inputs[0]]
    calls = np.array([integers(x.transpose(0, 2, 1), given)[0] for x in sound[:6]])
    wanted = search_of(model).accept_calls(calls)
    assert len(wanted) == 6 * FRAMES and any(wanted)
    chip = TransducerSession(compile_model(model, load_params("edge")))
    assert chip.accept_calls(calls, 3) == wanted


# --- what is told ---------------------------------------------------------------------------------
def test_states_whose_length_is_in_their_name():
    inputs = ["cache_last_channel", "cache_last_channel_len"]
    outputs = ["cache_last_channel_next", "cache_last_channel_next_len"]
    assert match_states("m", inputs, outputs, []) == dict(zip(inputs, outputs, strict=True))


def test_features_less_their_mean_are_refused(made, tmp_path):
    for path in made[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    model = onnx.load(made[0] / "encoder.onnx")
    next(
        each for each in model.metadata_props if each.key == "normalize_type"
    ).value = "per_feature"
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(UnsupportedError, match="normalize_type 'per_feature': features less their"):
        quantise_transducer(tmp_path, data_in(tmp_path))


def test_data_in_another_layout_are_told(made):
    folder = made[0]
    samples = data_in(folder)
    turned = {key: np.swapaxes(data, -1, -2) for key, data in samples.arrays.items()}
    with pytest.raises(ModelError, match=f"window_size '{TAKEN}', a call takes {BINS} frames"):
        quantise_transducer(folder, type(samples)(turned))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a 0\nb 1\n<blk> 2\n", ("<blk> 0\na 1\nb 2\n", True)),
        ("<blk> 0\na 1\n", ("<blk> 0\na 1\n", False)),
        ("a 0\nb 1\n", ("a 0\nb 1\n", False)),
        ("a\n", ("a\n", False)),
    ],
)
def test_tokens_from_the_blank(text, wanted):
    assert tokens_from_blank(text) == wanted


def test_free_inputs_are_nemos(made):
    names = list(free_inputs(onnx.load(made[0] / "decoder.onnx")))
    assert names == ["targets", "target_length", "states.1", "onnx::LSTM_3"]
