"""eSpeak NG, through its C library, which tells where each word begins."""

import ctypes
import ctypes.util
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.train.corpus.engines.speech import Request, Spoken, at_rate, from_ends, sounding
from npu.errors import RecipeError

# speak_lib.h
_SYNCHRONOUS = 2
_UTF8 = 1
_CHARACTER = 1
_WORD_EVENT, _END = 1, 0
_RATE, _PITCH = 1, 3
_USUAL_RATE, _USUAL_PITCH = 165, 50
_ACCENTS = (
    "en",
    "en-us",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-rp",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)
# No persons, or effects: robots, whispers and what cannot be understood.
_NO_VOICES = (
    "anxious",
    "announcer",
    "aunty",
    "croak",
    "demonic",
    "fast",
    "kauko",
    "klatt",
    "mr",
    "robo",
    "serious",
    "storm",
    "tweaky",
    "whisper",
)


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """Accents of English, each with the variants of a speaker: `en-us+f3`."""

    PACKAGES = "espeak-ng"
    TELLS_WORDS = True

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise RecipeError(
                f"libespeak-ng is not installed; install it: sudo apt-get install {self.PACKAGES}, "
                "or take its voices out of the recipe"
            )
        self._library = ctypes.CDLL(name)
        self._library.espeak_Info.restype = ctypes.c_char_p
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, 0)
        if self._rate <= 0:
            raise RecipeError("libespeak-ng finds none of its data; install espeak-ng-data again")
        self._chunks: list[np.ndarray] = []
        # Of each word that it tells of: the place of its first letter, from 1 on, and the second.
        self._begins: dict[int, float] = {}
        # Kept, or it would be freed while the library calls it.
        self._callback = _CALLBACK(self._hear)
        self._library.espeak_SetSynthCallback(self._callback)

    def voices(self) -> list[str]:
        folder = ctypes.c_char_p()
        self._library.espeak_Info(ctypes.byref(folder))
        variants = sorted(
            path.name
            for path in (Path((folder.value or b"").decode()) / "voices" / "!v").iterdir()
            if not any(word in path.name.lower() for word in _NO_VOICES)
        )
        return [f"{accent}+{variant}" for accent in _ACCENTS for variant in variants]

    def speaker(self, voice: str) -> str:
        variant = voice.partition("+")[2]
        # f1 .. f5 and m1 .. m8 are persons of their own, `iven2` is `iven` in another mood.
        name = variant if len(variant) == 2 else variant.rstrip("0123456789")
        return f"espeak {name or voice}"

    def speak(self, requests: Sequence[Request]) -> Iterator[Spoken]:
        for request in requests:
            yield self._one(request)

    def take(self, voice: str) -> None:
        """Speak with a voice, of English or another language: `fr+f3`. Raises RecipeError."""
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise RecipeError(f"eSpeak NG has no voice {voice!r}; `espeak-ng --voices` lists them")

    def _one(self, request: Request) -> Spoken:
        library = self._library
        self.take(request.voice)
        library.espeak_SetParameter(_RATE, round(_USUAL_RATE / request.pace), 0)
        pitch = np.clip(round(_USUAL_PITCH + 60 * np.log2(request.pitch)), 0, 99)
        library.espeak_SetParameter(_PITCH, int(pitch), 0)
        self._chunks, self._begins = [], {}
        raw = request.text.encode()
        library.espeak_Synth(raw, len(raw) + 1, 0, _CHARACTER, 0, _UTF8, None, None)
        heard = np.concatenate(self._chunks) if self._chunks else np.zeros(1, np.int16)
        samples = at_rate(heard, self._rate)
        return Spoken(samples, from_ends(self._ends(request.text, samples), request.text, samples))

    def _ends(self, text: str, samples: NDArray[np.int16]) -> list[float]:
        """A word ends where the next begins; words that are said as one (`on the`), of which it
        tells once, share its time by their letters.
        """
        places = [1 + found.start() for found in re.finditer(r"\S+", text)]
        begin, end = sounding(samples)
        known = {places[0]: begin, len(text) + 2: end}
        known |= {place: self._begins[place] for place in places[1:] if place in self._begins}
        told = sorted(known)
        after = [*places[1:], len(text) + 2]
        return [float(n) for n in np.interp(after, told, [known[place] for place in told])]

    def _hear(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        n = 0
        while events[n].type != _END:
            if events[n].type == _WORD_EVENT:
                self._begins[events[n].position] = events[n].milliseconds / 1000
            n += 1
        return 0
