"""Speech as it comes to text, on the kernels or on a chip."""

from functools import partial
from pathlib import Path
from typing import Literal

from compiler import compile_model, load_model, reference
from compiler.frontends.models import Model
from compiler.programs import branching
from npu.analysis.streaming import BeamOnTwin, OnTwin
from npu.api.chip import Chip
from npu.chip.params import ChipParams
from npu.errors import InputError
from npu.runtime.host_beam import BeamSession, most_slots
from npu.speech.beam import ACTIVE_PATHS, MOST_PATHS, BeamRules
from npu.speech.ends import MOST_SECONDS, Ending
from npu.speech.phrases import Beam, Engine
from npu.speech.search import SearchRules
from npu.speech.stream import Stream
from npu.speech.ways import LABELS


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
    end_seconds : silence that ends a phrase; None as `npu listen` without --silence.
    decoding_method : "greedy", or "beam", which keeps several hypotheses: a result at an end-point
        has alternatives then, and its words confidences.
    num_active_paths : hypotheses of a beam, 1 to MOST_PATHS.
    lattice : of a beam, a result at an end-point has the lattice of its phrase, too.

    Raises ModelError for what is no transducer, InputError for a value out of range and for a
    lattice of no beam, and what `npu.compile` raises.
    """

    def __init__(
        self,
        model: Model | str | Path,
        chip: ChipParams | str | Path | None = None,
        *,
        end_seconds: float | None = None,
        decoding_method: Literal["greedy", "beam"] = "greedy",
        num_active_paths: int = ACTIVE_PATHS,
        lattice: bool = False,
    ) -> None:
        if end_seconds is not None and not 0 < end_seconds <= MOST_SECONDS:
            raise InputError(
                f"end_seconds must be above 0, at most {MOST_SECONDS}, not {end_seconds}"
            )
        if decoding_method not in ("greedy", "beam"):
            raise InputError(f"decoding_method must be greedy or beam, not {decoding_method!r}")
        if not 1 <= num_active_paths <= MOST_PATHS:
            raise InputError(f"num_active_paths must be 1 to {MOST_PATHS}, not {num_active_paths}")
        if lattice and decoding_method != "beam":
            raise InputError('lattice is of a beam: give decoding_method="beam"')
        self._model = model if isinstance(model, Model) else load_model(model)
        self._speech = reference.speech_of(self._model)
        self._beam = BeamRules(num_active_paths) if decoding_method == "beam" else None
        self._labels = LABELS if lattice else None
        program = None
        if self._beam is not None:
            assert self._model.config is not None, "a transducer"
            slots = most_slots(self._beam, SearchRules.of(self._model.config))
            program = branching(self._model, slots)
        self._image = None
        if chip is not None:
            self._image = compile_model(self._model, Chip(chip), program=program)
        self._rule = self._speech.rule(Ending(end_seconds))

    @property
    def sample_rate_hz(self) -> int:
        """The model's own rate; sound at another one is resampled."""
        return self._speech.rate

    def create_stream(self) -> Stream:
        """A stream with networks of its own: its methods are told in `npu.speech.stream`."""
        return Stream(self._speech, self._engine(), self._rule)

    def _engine(self) -> Engine | Beam:
        if self._beam is None:
            if self._image is None:
                return reference.search_of(self._model)
            return OnTwin(self._image)
        if self._image is None:
            return reference.beam_of(self._model, self._beam, lattice=self._labels)
        session = partial(BeamSession, beam=self._beam, lattice=self._labels)
        return BeamOnTwin(self._image, session=session)
