"""What the synthesisers that are networks share: their durations seen, and words cut by them."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.train.corpus.engines.speech import Request, Spoken
from npu.errors import RecipeError

EXTRA = "pip install 'zeroskip[voices]'"


class OneVoice:
    """A synthesiser that has one voice, and tells when each word is.

    Attributes
    ----------
    ENGINE, VOICE : their names.
    """

    PACKAGES = EXTRA
    TELLS_WORDS = True
    ENGINE: str
    VOICE: str

    def voices(self) -> list[str]:
        return [self.VOICE]

    def speaker(self, voice: str) -> str:
        return f"{self.ENGINE} {voice}"

    def speak(self, requests: Sequence[Request]) -> Iterator[Spoken]:
        for request in requests:
            if request.voice != self.VOICE:
                raise RecipeError(
                    f"{self.ENGINE} has no voice {request.voice!r} from a registry; there is: "
                    f"{self.VOICE}"
                )
            yield self._one(request)

    def _one(self, request: Request) -> Spoken:
        raise NotImplementedError


def package(name: str, get: str = EXTRA) -> Any:
    """An installed package. Raises RecipeError with the install command if there is none."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RecipeError(
            f"{name} is not installed ({error}); install it: {get}, or take its voices out of the "
            "recipe"
        ) from error


def session(path: Path, reveal: Callable[[Any], object]) -> Any:
    """An ONNX network on one core; each process of the corpus has one, and sums keep their order.

    `reveal` : makes the network's durations an output of it.
    """
    onnx, runtime = package("onnx"), package("onnxruntime")
    model = onnx.load(str(path))
    reveal(model)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def phonemes(text: str, of: Callable[[str], str]) -> str:
    """What is said, with one space between words and none within them.

    `of` : phonemes of a text. One that runs words together (`on the`) is asked for each word.
    """
    said = of(text).strip()
    words = text.split()
    if len(said.split()) == len(words):
        return " ".join(said.split())
    return " ".join("".join(of(word).split()) for word in words)


def ends(spaces: NDArray[np.bool_], seconds: NDArray[np.float64]) -> list[float]:
    """When each word ends: in the middle of the space behind it, and the last at the end.

    Parameters
    ----------
    spaces : (symbols,) which symbols are spaces between words.
    seconds : (symbols,) how long each symbol is.
    """
    after = np.cumsum(seconds)
    return [float(end) for end in (after - seconds / 2)[spaces]] + [float(after[-1])]


def to_int16(audio: NDArray[np.floating]) -> NDArray[np.int16]:
    """Samples within -1 .. 1, as int16; louder ones are clipped."""
    return np.clip(np.rint(audio * 32767.0), -32768, 32767).astype(np.int16)
