"""A model on the kernels: what a chip must answer, and the host's part of a transducer."""

from collections.abc import Sequence

import numpy as np

from compiler.frontends.models import TRANSDUCER_GRAPHS, Model
from kernels import Interpreter, Transducer
from npu.errors import ModelError
from npu.model.recording import Recorder, Recording
from npu.speech.beam import BeamRules, BeamSearch
from npu.speech.host import Speech
from npu.speech.hotwords import Boost
from npu.speech.scores import Scorer
from npu.speech.search import GreedySearch, SearchRules


def search_of(model: Model, recording: Recorder | None = None) -> GreedySearch:
    """A transducer's search; `recording` sees its intermediate results."""
    return GreedySearch(*_networks_of(model, recording))


def beam_of(
    model: Model,
    beam: BeamRules,
    *,
    blank_penalty: float = 0.0,
    temperature: float = 1.0,
    boost: Boost | None = None,
    lattice: int | None = None,
    recording: Recorder | None = None,
) -> BeamSearch:
    """A transducer's beam search; `blank_penalty` and `temperature` as `Scorer` takes them, `boost`
    and `lattice` as `BeamSearch`.
    """
    networks, rules = _networks_of(model, recording)
    joiner = model.graphs["joiner"]
    quantization = joiner.tensors[joiner.outputs[0]].quantization
    assert quantization is not None, "load_model requires quantised logits"
    scorer = Scorer(float(quantization.scale[0]), rules.blank, blank_penalty, temperature)
    return BeamSearch(networks, rules, scorer, beam, boost, lattice)


def _networks_of(model: Model, recording: Recorder | None) -> tuple[Transducer, SearchRules]:
    assert model.config is not None, "a transducer"
    encoder, decoder, joiner = (model.graphs[role] for role in TRANSDUCER_GRAPHS)
    return Transducer(encoder, decoder, joiner, recording), SearchRules.of(model.config)


def speech_of(model: Model) -> Speech:
    """The host's part. Raises ModelError for a single graph."""
    if model.config is None or model.tokens is None:
        raise ModelError(f"{model.name} is a single graph, not a transducer; run it with npu run")
    encoder = model.graphs["encoder"]
    quantization = encoder.tensors[encoder.inputs[0]].quantization
    assert quantization is not None, "load_model requires a quantised input"
    return Speech(
        name=model.name,
        frontend=model.config.frontend,
        frames_per_call=model.config.encoder.frames_per_call,
        scale=float(quantization.scale[0]),
        zero_point=quantization.zero_point,
        tokens=model.tokens,
        frames_out=model.frames_out,
        silence_s=model.config.silence_s,
    )


class Reference:
    """A model of either kind, call by call, with the vectors that an image's probes show."""

    def __init__(self, model: Model) -> None:
        self._saw = Recording()
        self._engine: Interpreter | GreedySearch
        if model.is_transducer:
            self._engine = search_of(model, self._saw)
            self._engine.reset()
        else:
            self._engine = Interpreter(model.graphs["main"])

    def call(
        self, inputs: Sequence[np.ndarray]
    ) -> tuple[list[np.ndarray], dict[str, list[np.ndarray]]]:
        """The outputs of a call, of a transducer its tokens (n,) int32; the vectors by probe."""
        if isinstance(self._engine, Interpreter):
            return self._engine.invoke(list(inputs)), {}
        tokens = np.array(self._engine.accept(inputs[0][np.newaxis]), np.int32)
        vectors = dict(self._saw.vectors)
        self._saw.clear()
        return [tokens], vectors
