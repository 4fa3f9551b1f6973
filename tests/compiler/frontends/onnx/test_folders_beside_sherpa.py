"""Folders of float models, symbol for symbol beside sherpa-onnx: what was read is what it runs."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
ort = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
sherpa_onnx = pytest.importorskip("sherpa_onnx", reason="the extra `sherpa` is not installed")

from compiler.floats.run import run  # noqa: E402
from compiler.floats.samples import Samples  # noqa: E402
from compiler.floats.write import to_onnx  # noqa: E402
from compiler.frontends.onnx.transducer import quantise_transducer  # noqa: E402
from npu.model.tokens import tokens_of  # noqa: E402
from tests import nemo_encoders, streaming_encoders  # noqa: E402

RATE, SECONDS = 16_000, 4


def sound():
    """Three tones that come and go, in syllables."""
    rng = np.random.default_rng(9)
    time = np.arange(RATE * SECONDS) / RATE
    loud = np.maximum(0, np.sin(2 * np.pi * 2.7 * time)) ** 2
    tones = [np.sin(2 * np.pi * hz * time) for hz in (300, 900, 2200)]
    turns = [
        0.5 + 0.5 * np.sin(2 * np.pi * rate * time + at) for at, rate in enumerate((1, 0.6, 3))
    ]
    mixed = sum(tone * turn for tone, turn in zip(tones, turns, strict=True))
    return (0.2 * loud * mixed + rng.normal(0, 0.01, len(time))).astype(np.float32)


class Sherpa:
    def __init__(self, folder, bins):
        files = {role: str(folder / f"{role}.onnx") for role in ("encoder", "decoder", "joiner")}
        self.recognizer = sherpa_onnx.OnlineRecognizer.from_transducer(
            tokens=str(folder / "tokens.txt"),
            num_threads=1,
            sample_rate=RATE,
            feature_dim=bins,
            **files,
        )

    def heard(self):
        """Its symbols of the sound, blanks left out."""
        stream = self.recognizer.create_stream()
        stream.accept_waveform(RATE, sound())
        stream.input_finished()
        while self.recognizer.is_ready(stream):
            self.recognizer.decode_stream(stream)
        return list(self.recognizer.get_result_all(stream).tokens)

    def frames(self):
        """Its features of the sound, (frames, bins)."""
        stream = self.recognizer.create_stream()
        stream.accept_waveform(RATE, sound())
        count = SECONDS * 100 - 2
        return np.array(stream.get_frames(0, count), np.float32).reshape(count, -1)


class Part:
    """A float graph, call by call."""

    def __init__(self, graph):
        self.graph = graph
        self.session = ort.InferenceSession(
            to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        self.carried = {state.current: state.initial for state in graph.states}

    def __call__(self, *given):
        graph = self.graph
        feeds = {
            name: np.asarray(value, np.int64 if name in graph.integers else np.float32).reshape(
                graph.shapes[name]
            )
            for name, value in zip(graph.inputs, given, strict=True)
        }
        names = [each.name for each in self.session.get_outputs()]
        found = dict(zip(names, self.session.run(names, feeds | self.carried), strict=True))
        self.carried = {state.current: found[state.following] for state in graph.states}
        return found[graph.outputs[0]].ravel()


def greedy(parts, calls, most):
    """The likeliest symbol of each frame, up to `most` of them."""
    encoder, decoder, joiner = (parts[role].source.graph for role in parts)
    decoder, joiner = Part(decoder), Part(joiner)
    decoded, symbols = decoder(0), []
    for answer in run(encoder, Samples({encoder.inputs[0]: calls})):
        made = answer[encoder.outputs[0]]
        for frame in made.reshape(-1, made.shape[-1]):
            for _ in range(most):
                symbol = int(joiner(frame, decoded).argmax())
                if symbol == 0:
                    break
                symbols.append(symbol)
                decoded = decoder(symbol)
    return symbols


def calls_of(frames, taken, hop):
    count = (len(frames) - taken) // hop + 1
    return np.array([frames[at * hop : at * hop + taken][None] for at in range(count)])


@pytest.mark.parametrize(
    ("form", "most", "seed"),
    [(streaming_encoders, 1, 1), (nemo_encoders, 10, 3)],
    ids=["icefall", "nemo"],
)
def test_the_same_symbols(tmp_path, form, most, seed):
    turned = form is nemo_encoders
    if turned:
        nemo_encoders.export(tmp_path, seed)
    else:
        # That a caller counts is the form that sherpa-onnx knows by its name.
        streaming_encoders.export(tmp_path, seed, counts=False)
    frames = Sherpa(tmp_path, form.BINS).frames()
    calls = calls_of(frames, form.TAKEN, form.HOP)
    if turned:
        # Centred on what is heard here, so that symbols differ.
        nemo_encoders.export(tmp_path, seed, calls[len(calls) // 2].transpose(0, 2, 1))
    given = calls.transpose(0, 1, 3, 2) if turned else calls
    name = "audio_signal" if turned else "x"
    made = quantise_transducer(tmp_path, Samples({name: given}))
    symbols = tokens_of(made.files["tokens.txt"].decode(), "tokens.txt")
    ours = [symbols[each] for each in greedy(made.parts, calls, most)]
    theirs = Sherpa(tmp_path, form.BINS).heard()
    print(f"\n{len(theirs)} symbols, {len(set(theirs))} of them different")
    assert len(set(theirs)) > 2
    # A stream that has ended hears some frames of a mirrored end more, and a call with them.
    assert theirs[: len(ours)] == ours and len(ours) > 0.9 * len(theirs)
