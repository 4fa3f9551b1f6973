"""Flite, a process for each text; it tells where each phone ends."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import soundfile

from compiler.train.corpus.engines.speech import Request, Spoken, at_rate, from_ends, program
from npu.errors import RecipeError

_PAUSE = "pau"
_SECONDS = 20
# The mean of a voice's fundamental, in Hz.
_USUAL_HZ = {"kal": 95, "kal16": 105, "awb": 125, "rms": 100, "slt": 175}


class Flite:
    """Its built-in voices."""

    PACKAGES = "flite"
    TELLS_WORDS = True

    def __init__(self) -> None:
        self._program = program("flite", self.PACKAGES)

    def voices(self) -> list[str]:
        return sorted(_USUAL_HZ)

    def speaker(self, voice: str) -> str:
        return voice.removesuffix("16")

    def speak(self, requests: Sequence[Request]) -> Iterator[Spoken]:
        for request in requests:
            yield self._one(request)

    def _one(self, request: Request) -> Spoken:
        # It takes another voice without a word.
        if request.voice not in _USUAL_HZ:
            raise RecipeError(
                f"flite has no voice {request.voice!r}; there are: {', '.join(self.voices())}"
            )
        with tempfile.TemporaryDirectory(prefix="flite-") as folder:
            path = Path(folder) / "said.wav"
            hertz = _USUAL_HZ[request.voice] * request.pitch
            settings = [
                "--setf",
                f"duration_stretch={request.pace:.3f}",
                "--setf",
                f"int_f0_target_mean={hertz:.1f}",
            ]
            told = self._run(request.voice, request.text, "-psdur", *settings, "-o", str(path))
            read, rate = soundfile.read(path, dtype="int16")
        samples = at_rate(read, rate)
        phones = [part.rpartition(":") for part in told.split()]
        spoken = [(name, float(end)) for name, _, end in phones if name != _PAUSE]
        return Spoken(samples, from_ends(self._ends(request, spoken), request.text, samples))

    def _ends(self, request: Request, phones: list[tuple[str, float]]) -> list[float]:
        """The end of each word, if the words' own phones, in a row, are as many as the text's."""
        ends: list[float] = []
        place = 0
        for word in request.text.split():
            place += self._count(request.voice, word)
            if not 0 < place <= len(phones):
                return []
            ends.append(phones[place - 1][1])
        return ends if place == len(phones) else []

    @lru_cache(maxsize=100_000)  # noqa: B019 : an engine lives as long as its process
    def _count(self, voice: str, word: str) -> int:
        told = self._run(voice, word, "-ps", "-o", "none")
        return sum(name != _PAUSE for name in told.split())

    def _run(self, voice: str, text: str, *options: str) -> str:
        command = [self._program, "-voice", voice, *options, "-t", text]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        if done.returncode:
            raise RecipeError(f"flite does not say {text!r} with {voice!r}: {done.stderr.strip()}")
        return done.stdout
