"""How long the page of a large model takes, and how much memory: in a process of its own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from npu.analysis.process import run_npu
from npu.analysis.results_beside import PageReport
from npu.chip.params import ChipParams
from npu.chip.summary import summary
from npu.pools import cores

MOST_SECONDS, MOST_MIB = 30.0, 1536.0
"""Bars for a transducer of 45.3 M parameters and ten seconds of sound, on two cores."""

AUDIO_SECONDS = 10.0


def write_sound(path: Path, utterances: Sequence[Path]) -> None:
    """Write AUDIO_SECONDS of WAV files of one rate, one behind the other."""
    samples, rate, parts = 0, 1, []
    for file in utterances:
        part, rate = soundfile.read(file, dtype="int16")
        parts.append(part)
        samples += len(part)
        if samples >= AUDIO_SECONDS * rate:
            break
    soundfile.write(path, np.concatenate(parts)[: round(AUDIO_SECONDS * rate)], rate)


def page_report(
    folder: Path,
    model: str,
    warm_up: str,
    chip: str,
    params: ChipParams,
    parameters: int,
    zeros: float,
    utterances: Sequence[Path],
) -> PageReport:
    """Measure `npu report MODEL --audio SOUND`; machine code is there before, from `warm_up`.

    folder : in which sound and page are written. model, warm_up : as the command line takes them.
    chip : likewise, and `params` of it. parameters, zeros : of the model. utterances : WAV files
    that make up the sound.

    Raises NpuError with what the command said where it fails.
    """
    sound, page = folder / "sound.wav", folder / "page.html"
    write_sound(sound, utterances)

    def report(name: str) -> list[str]:
        options = ["--chip", chip, "--audio", str(sound), "-o", str(page)]
        return ["report", name, *options]

    run_npu(*report(warm_up))
    process = run_npu(*report(model))
    return {
        "chip": summary(params),
        "parameters": parameters,
        "zeros": zeros,
        "audio_seconds": AUDIO_SECONDS,
        "cores": cores(),
        "process": process,
        "page_bytes": page.stat().st_size,
        "bars": {"seconds": MOST_SECONDS, "peak_memory_mib": MOST_MIB},
        "met": process["seconds"] <= MOST_SECONDS and process["peak_memory_mib"] <= MOST_MIB,
    }
