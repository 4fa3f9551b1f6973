"""RHVoice, statistical voices (HTS), through its C library.

It tells of a word with the next buffer of 0.1 s, and nothing makes that shorter: too rough to learn
from, so it is taken for whole sentences on the test side alone.

Licences: the library is LGPL-2.1-or-later, with MAGE GPL-3.0-or-later; what it speaks is not under
its licence. Of its voices those of CMU's ARCTIC recordings are taken, which are free for every use:
`bdl`, `clb` and `slt` (the package says so of `slt`; RHVoice's list of restricted voices has none
of them). Refused: `alan`, `evgeniy-eng` and `lyubov`, no part of the package, and whose use
may be restricted (those of RHVoice's laboratory are CC BY-NC-ND); the others speak no English.

No registry has the library built: `rhvoice-wrapper-bin` compiles it when it is installed, from
sources that it clones from GitHub. So it is no part of an extra.
"""

from collections.abc import Iterator, Sequence
from ctypes import byref, c_char_p
from typing import Any

import numpy as np

from compiler.train.corpus.engines.neural import package
from compiler.train.corpus.engines.speech import Request, Spoken, at_rate, from_ends, sounding
from npu.errors import RecipeError

_VOICES = ("bdl", "clb", "slt")


class Rhvoice:
    """Three people of CMU's ARCTIC recordings."""

    PACKAGES = (
        "pip install scons lxml setuptools && "
        "pip install --no-build-isolation rhvoice-wrapper rhvoice-wrapper-bin"
    )
    TELLS_WORDS = False

    def __init__(self) -> None:
        self._api = package("rhvoice_wrapper.rhvoice_bindings", self.PACKAGES)
        there = package("rhvoice_wrapper_bin", self.PACKAGES)
        if there.lib_path is None:
            raise RecipeError(
                "rhvoice_wrapper_bin has no library: it was not compiled; install it again: "
                f"{self.PACKAGES}"
            )
        self._library, self._version = self._api.load_tts_library(there.lib_path)
        self._rate = 24_000
        self._chunks: list[np.ndarray] = []
        # Of each word that it tells of: the place of its first letter, from 0 on, and the sample.
        self._begins: dict[int, int] = {}
        kinds = self._api.RHVoice_callback_types
        # Kept, or they would be freed while the library uses them.
        self._keep = self._api.RHVoice_init_params(self._version)(
            data_path=there.data_path.encode(),
            config_path=there.data_path.encode(),
            resource_paths=(c_char_p * 1)(None),
            callbacks=self._api.RHVoice_callbacks(self._version)(
                set_sample_rate=kinds.set_sample_rate(self._at),
                play_speech=kinds.play_speech(self._hear),
                word_starts=kinds.word_starts(self._begin),
            ),
        )
        self._engine = self._library.RHVoice_new_tts_engine(byref(self._keep))
        if not self._engine:
            raise RecipeError(f"RHVoice does not start with the data in {there.data_path}")

    def voices(self) -> list[str]:
        return list(_VOICES)

    def speaker(self, voice: str) -> str:
        # They are people whom other engines have too.
        return voice

    def speak(self, requests: Sequence[Request]) -> Iterator[Spoken]:
        for request in requests:
            yield self._one(request)

    def _one(self, request: Request) -> Spoken:
        if request.voice not in _VOICES:
            raise RecipeError(
                f"RHVoice has no free English voice {request.voice!r}; there are: "
                f"{', '.join(_VOICES)}"
            )
        raw = request.text.encode()
        settings = self._api.RHVoice_synth_params(self._version)(
            voice_profile=request.voice.capitalize().encode(),
            relative_rate=1 / request.pace,
            relative_pitch=request.pitch,
            relative_volume=1.0,
            flags=self._api.RHVoice_synth_flag.dont_clip_rate,
        )
        self._chunks, self._begins = [], {}
        kind = self._api.RHVoice_message_type.text
        message = self._library.RHVoice_new_message(
            self._engine, raw, len(raw), kind, byref(settings), None
        )
        if not message or not self._library.RHVoice_speak(message):
            raise RecipeError(f"RHVoice does not say {request.text!r} with {request.voice!r}")
        self._library.RHVoice_delete_message(message)
        heard = np.concatenate(self._chunks) if self._chunks else np.zeros(1, np.int16)
        samples = at_rate(heard, self._rate)
        begins = [sample / self._rate for _, sample in sorted(self._begins.items())]
        told = [*begins[1:], sounding(samples)[1]]
        return Spoken(samples, from_ends(told, request.text, samples))

    def _at(self, rate: int, _: Any) -> int:
        self._rate = rate
        return 1

    def _hear(self, samples: Any, count: int, _: Any) -> int:
        self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 1

    def _begin(self, place: int, _length: int, _: Any) -> int:
        self._begins[place] = sum(map(len, self._chunks))
        return 1
