"""Hibari, a small neural voice on the CPU; its network tells how long each phoneme is.

Licences: program and voices are Apache-2.0. The voice `heart` is in the package; it was distilled
from the voice `af_heart` of Kokoro-82M (Apache-2.0). The others (`emma`, `fable`, `fenrir`,
`kore`) are no part of the package but downloads from elsewhere, and are refused.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from compiler.train.corpus.engines.neural import (
    OneVoice,
    ends,
    package,
    phonemes,
    session,
    to_int16,
)
from compiler.train.corpus.engines.speech import Request, Spoken, at_rate, from_ends

# Durations are in pairs of frames.
_FRAMES = 2


def _durations(model: Any) -> None:
    """Make an output of the durations: what the network's only running sum is made of."""
    (name,) = [node.input[0] for node in model.graph.node if node.op_type == "CumSum"]
    output = type(model.graph.output[0])()
    output.name = name
    model.graph.output.append(output)


class Hibari(OneVoice):
    """The voice `heart`, an American woman's."""

    ENGINE = "hibari"
    VOICE = "heart"

    def __init__(self) -> None:
        self._hibari = package("hibari").Hibari(self.VOICE)
        self._synth = package("hibari.dsp")
        self._session = session(Path(self._hibari.model_path), _durations)
        self._space = self._hibari.vocab[" "]

    def _one(self, request: Request) -> Spoken:
        said = phonemes(request.text, lambda text: " ".join(self._hibari.phonemize(text)))
        ids = np.asarray([self._hibari.ids(said)])
        speed = np.asarray([1 / request.pace], np.float32)
        *out, counts = self._session.run(None, {"ids": ids, "speed": speed})
        *parts, hertz = (each[0] for each in out)
        # Its breath is drawn: for a request always the same.
        noise = np.random.default_rng(zlib.crc32(repr(request).encode()))
        audio = self._synth.synth(*parts, hertz * np.float32(request.pitch), noise)
        samples = at_rate(to_int16(audio), self._synth.SR)
        told = ends(ids[0] == self._space, counts * (_FRAMES * self._synth.HOP / self._synth.SR))
        return Spoken(samples, from_ends(told, request.text, samples))
