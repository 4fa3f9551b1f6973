"""sherpa-onnx on a network that `parts` has written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sherpa_onnx
from numpy.typing import NDArray

from compiler.train.export.network import TrainedTransducer
from compiler.train.sherpa.heads import RATE_HZ, Head, Heard
from compiler.train.sherpa.parts import DECODER, ENCODER, JOINER, TOKENS, Loop, write_onnx, written

VERSION: str = sherpa_onnx.__version__

_ICEFALLS_FRAME_MS = 40
"""A frame of encoder output, in the times that sherpa-onnx gives for icefall's models."""
_FRAME_MS = 10


@dataclass(frozen=True)
class Said:
    """What sherpa-onnx understood.

    Attributes
    ----------
    text : without spaces at either end.
    symbols, calls : what was emitted, and in which encoder call.
    scores : of each symbol, in nats; nothing where its loop tells none.
    """

    text: str
    symbols: tuple[str, ...]
    calls: tuple[int, ...]
    scores: tuple[float, ...]


def _spelt_out(phrase: Sequence[int], tokens: Sequence[str], nats: float) -> str:
    """A line of a phrase; sherpa-onnx takes no words of letters, symbols stand apart."""
    return " ".join(written(tokens[symbol]) for symbol in phrase) + f" :{nats}\n"


class Sherpa:
    """A recogniser.

    Parameters
    ----------
    folder : new; gets the network's files.
    trained, tokens, loop, head, repeat : as `write_onnx` takes them.
    phrases : symbols of each phrase to be heard more readily, and nats a symbol.
    options : of `from_transducer` of sherpa-onnx's `OnlineRecognizer`, or `OfflineRecognizer` for
        whole utterances.

    Raises what `write_onnx` raises.
    """

    def __init__(
        self,
        folder: Path,
        trained: TrainedTransducer,
        tokens: tuple[str, ...],
        loop: Loop,
        head: Head,
        repeat: int = 1,
        phrases: Iterable[tuple[Sequence[int], float]] = (),
        **options: Any,
    ) -> None:
        write_onnx(folder, trained, tokens, loop, head, repeat=repeat)
        lines = [_spelt_out(phrase, tokens, nats) for phrase, nats in phrases]
        if lines:
            options["hotwords_file"] = str(folder / "phrases.txt")
            (folder / "phrases.txt").write_text("".join(lines), encoding="utf-8")
        self._bins = head.bins
        # Seconds between the times of two encoder calls.
        ms = _ICEFALLS_FRAME_MS * repeat if loop == "icefall" else head.frames(trained) * _FRAME_MS
        self._call_seconds = ms / 1000
        options |= {
            "tokens": str(folder / TOKENS),
            "encoder": str(folder / ENCODER),
            "decoder": str(folder / DECODER),
            "joiner": str(folder / JOINER),
            "num_threads": 1,
            "sample_rate": RATE_HZ,
            "feature_dim": head.bins,
        }
        self._whole = loop == "whole"
        if self._whole:
            options["model_type"] = "nemo_transducer"
            self._recognizer = sherpa_onnx.OfflineRecognizer.from_transducer(**options)
        else:
            # As our front end: the first window begins with the first sample.
            options["snip_edges"] = isinstance(head, Heard)
            self._recognizer = sherpa_onnx.OnlineRecognizer.from_transducer(**options)

    def frames(self, samples: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """Its features of samples at RATE_HZ, the first `count` frames: (count, bins); of a stream.

        There must be as many: sherpa-onnx ends the process otherwise.
        """
        stream = self._recognizer.create_stream()
        stream.accept_waveform(RATE_HZ, samples)
        stream.input_finished()
        return np.array(stream.get_frames(0, count), np.float32).reshape(count, self._bins)

    def hear(self, samples: NDArray[np.float32]) -> Said:
        """What is said in samples at RATE_HZ, (n,) float32 with a full scale of 1."""
        stream = self._recognizer.create_stream()
        stream.accept_waveform(RATE_HZ, samples)
        if self._whole:
            self._recognizer.decode_stream(stream)
            found, scores = stream.result, stream.result.ys_log_probs
        else:
            stream.input_finished()
            while self._recognizer.is_ready(stream):
                self._recognizer.decode_stream(stream)
            found = self._recognizer.get_result_all(stream)
            scores = found.ys_probs
        # A time is a whole number of frames; half a frame keeps rounding away from a border.
        seconds = np.array(found.timestamps) + _FRAME_MS / 2000
        calls = np.floor(seconds / self._call_seconds).astype(int)
        return Said(found.text.strip(), tuple(found.tokens), tuple(calls.tolist()), tuple(scores))
