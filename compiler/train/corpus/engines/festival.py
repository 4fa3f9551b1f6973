"""Festival, a process for many texts; it tells where each word begins and ends."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from compiler.train.corpus.engines.speech import Request, Spoken, at_rate, from_ends, program
from npu.errors import RecipeError

# Voice of Festival: its package, and whose it is.
_VOICES = {
    "kal_diphone": ("festvox-kallpc16k", "kal"),
    "ked_diphone": ("festvox-kdlpc16k", "ked"),
    "cmu_us_slt_arctic_hts": ("festvox-us-slt-hts", "slt"),
}
_SECONDS_EACH = 20
_SAY = """
(define (say text path stretch)
  (Parameter.set 'Duration_Stretch stretch)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text text)))))
    (utt.save.wave utt path 'riff)
    (mapcar (lambda (word) (format t "%f " (item.feat word 'word_end)))
            (utt.relation.items utt 'Word))
    (format t "\\n")))
"""


class Festival:
    """The voices of Debian's packages; the pitch stays the voice's own."""

    PACKAGES = "festival festlex-cmu festlex-poslex " + " ".join(
        name for name, _ in _VOICES.values()
    )
    TELLS_WORDS = True

    def __init__(self) -> None:
        self._program = program("festival", self.PACKAGES)

    def voices(self) -> list[str]:
        return sorted(_VOICES)

    def speaker(self, voice: str) -> str:
        return _VOICES[voice][1]

    def speak(self, requests: Sequence[Request]) -> Iterator[Spoken]:
        with tempfile.TemporaryDirectory(prefix="festival-") as name:
            folder = Path(name)
            lines = [_SAY]
            for n, request in enumerate(requests):
                lines.append(f"(voice_{request.voice})")
                lines.append(f'(say "{request.text}" "{folder}/{n}.wav" {request.pace:.3f})')
            (folder / "say.scm").write_text("\n".join(lines), encoding="utf-8")
            done = subprocess.run(
                [self._program, "-b", str(folder / "say.scm")],
                capture_output=True,
                text=True,
                timeout=_SECONDS_EACH * max(1, len(requests)),
                check=False,
            )
            told = [line for line in done.stdout.splitlines() if line.strip()]
            if done.returncode or len(told) != len(requests):
                raise RecipeError(
                    f"festival failed: {(done.stderr or done.stdout).strip()[-300:]}; are "
                    f"{self.PACKAGES} installed?"
                )
            for n, request in enumerate(requests):
                read, rate = soundfile.read(folder / f"{n}.wav", dtype="int16")
                samples = at_rate(np.atleast_1d(read), rate)
                ends = [float(end) for end in told[n].split()]
                yield Spoken(samples, from_ends(ends, request.text, samples))
