"""A model on the kernels: what a chip must answer, and the host's part of a transducer."""

from collections.abc import Sequence

import numpy as np

from compiler.model import TRANSDUCER_GRAPHS, Model
from kernels import GreedySearch, Interpreter, Recording
from npu.errors import ModelError
from npu.speech.host import Speech


def search_of(model: Model, recording: Recording | None = None) -> GreedySearch:
    """A transducer's search; `recording` sees its intermediate results."""
    config = model.config
    assert config is not None, "a transducer"
    return GreedySearch(
        *(model.graphs[role] for role in TRANSDUCER_GRAPHS),
        blank=config.blank_id,
        start=config.start_id,
        max_symbols_per_frame=config.max_symbols_per_frame,
        recording=recording,
    )


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
        vectors = {name: list(found) for name, found in vars(self._saw).items()}
        self._saw.encoder_out.clear()
        self._saw.logits.clear()
        return [tokens], vectors
