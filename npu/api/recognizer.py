"""Speech as it comes to text, on the kernels or on a chip."""

from pathlib import Path

from compiler import compile_model, load_model, reference
from compiler.frontends.models import Model
from npu.analysis.streaming import OnTwin
from npu.api.chip import Chip
from npu.chip.params import ChipParams
from npu.errors import InputError
from npu.speech.ends import END_SECONDS, Ending
from npu.speech.stream import Stream

MOST_SECONDS = 3600
"""Of silence that ends a phrase."""


class Recognizer:
    """Makes streams of one transducer; each hears one sound, beside the others.

        recognizer = npu.Recognizer("commands_rnnt")
        stream = recognizer.create_stream()
        stream.accept_waveform(16_000, samples)
        while stream.is_ready:
            stream.decode()
        print(stream.result.text, stream.is_endpoint)

    Parameters
    ----------
    model : what `npu.load` takes, or gives.
    chip : what `npu.Chip` takes: the twin of that chip runs the networks. None: the kernels do,
        with the same symbols, and faster.
    end_seconds : silence that ends a phrase.

    Raises ModelError for what is no transducer, InputError for a silence out of range, and what
    `npu.compile` raises.
    """

    def __init__(
        self,
        model: Model | str | Path,
        chip: ChipParams | str | Path | None = None,
        *,
        end_seconds: float = END_SECONDS,
    ) -> None:
        if not 0 < end_seconds <= MOST_SECONDS:
            raise InputError(
                f"end_seconds must be above 0, at most {MOST_SECONDS}, not {end_seconds}"
            )
        self._model = model if isinstance(model, Model) else load_model(model)
        self._speech = reference.speech_of(self._model)
        self._image = None if chip is None else compile_model(self._model, Chip(chip))
        self._rule = Ending(end_seconds).rule(self._speech.seconds_per_call)

    @property
    def sample_rate_hz(self) -> int:
        """The model's own rate; sound at another one is resampled."""
        return self._speech.rate

    def create_stream(self) -> Stream:
        """A stream with networks of its own: its methods are told in `npu.speech.stream`."""
        if self._image is None:
            return Stream(self._speech, reference.search_of(self._model), self._rule)
        return Stream(self._speech, OnTwin(self._image), self._rule)
