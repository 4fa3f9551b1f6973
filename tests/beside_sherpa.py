"""A folder of float models in sherpa-onnx, and in its place the float graphs that were read."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort
import sherpa_onnx

from compiler.floats.graph import FloatGraph
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.floats.write import to_onnx
from compiler.frontends.onnx.quantised import Quantised

RATE = 16_000


class Sherpa:
    def __init__(self, folder: Path, bins: int) -> None:
        files = {role: str(folder / f"{role}.onnx") for role in ("encoder", "decoder", "joiner")}
        self.recognizer = sherpa_onnx.OnlineRecognizer.from_transducer(
            tokens=str(folder / "tokens.txt"),
            num_threads=1,
            sample_rate=RATE,
            feature_dim=bins,
            **files,
        )

    def heard(self, sound: np.ndarray) -> list[str]:
        """Its symbols of samples, blanks left out."""
        stream = self.recognizer.create_stream()
        stream.accept_waveform(RATE, sound)
        stream.input_finished()
        while self.recognizer.is_ready(stream):
            self.recognizer.decode_stream(stream)
        return list(self.recognizer.get_result_all(stream).tokens)

    def frames(self, sound: np.ndarray) -> np.ndarray:
        """Its features of samples, (frames, bins)."""
        stream = self.recognizer.create_stream()
        stream.accept_waveform(RATE, sound)
        # It ends the process where there are fewer.
        count = len(sound) * 100 // RATE - 2
        return np.array(stream.get_frames(0, count), np.float32).reshape(count, -1)


class Part:
    """A float graph, call by call."""

    def __init__(self, graph: FloatGraph) -> None:
        self.graph = graph
        self.session = ort.InferenceSession(
            to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        self.carried = {state.current: state.initial for state in graph.states}

    def __call__(self, *given: object) -> np.ndarray:
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


def greedy(parts: Mapping[str, Quantised], calls: np.ndarray, most: int) -> list[int]:
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


def calls_of(frames: np.ndarray, taken: int, hop: int) -> np.ndarray:
    """(calls, 1, taken, bins)."""
    count = (len(frames) - taken) // hop + 1
    return np.array([frames[at * hop : at * hop + taken][None] for at in range(count)])
