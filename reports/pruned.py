"""Zeros after training beside zeros that were learnt: `reports/pruned.json` and `pruned.md`.

python -m reports.pruned FOLDER       # of `npu train pruned -o FOLDER`
python -m reports.pruned --page       # writes the page again from the last run

The network with all of its weights is written in floats, and quantised by `npu quantize` with a
share of them zero: the smallest ones of all, and the same with what remains moved so that layers
answer as before. Beside it stand networks that learnt on with as many zeros. All hear one set.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypedDict

import numpy as np

from compiler import load_model, reference
from compiler.frontends.models import Model
from npu.analysis.process import run_npu
from npu.files import write_atomic
from npu.speech.spoken_sets import FILE_NAME

PAGE = Path(__file__).with_name("pruned.md")
RUN = Path(__file__).with_name("pruned.json")

LEARNT = {0.0: "dense", 0.5: "lstm-50", 0.75: "lstm-75"}
UTTERANCES = 500
CALLS = 1_500
"""Of the first development recording, on which is calibrated."""
Way = Literal["learnt", "magnitude", "reconstructed"]


class Point(TypedDict):
    """A network that hears the set.

    Attributes
    ----------
    zeros : share of the weights. way : how they came.
    words, percent, interval : word errors, and 95 % of them by the bootstrap.
    image_bytes : compiled for `edge`.
    """

    zeros: float
    way: Way
    words: int
    percent: float
    interval: list[float] | None
    image_bytes: int


def measure(runs: Path) -> list[Point]:
    """All of them."""
    points = []
    with TemporaryDirectory(prefix="zeroskip-") as place:
        room = Path(place)
        heard = _some(runs / "sets" / "test-30db", room / "set", UTTERANCES)
        floats, data = room / "floats", room / "calibration.npz"
        dense = load_model(runs / LEARNT[0.0] / "model")
        _floats(runs / LEARNT[0.0] / "model", floats)
        np.savez(data, x=_features(dense, runs / "sessions" / "develop" / "00.flac"))
        for zeros, way, folder in _networks(runs, floats, data, room):
            points.append(_point(zeros, way, folder, heard, room))
            print(json.dumps(points[-1]), flush=True)
    return points


def _networks(
    runs: Path, floats: Path, data: Path, room: Path
) -> Iterator[tuple[float, Way, Path]]:
    for zeros, name in LEARNT.items():
        yield zeros, "learnt", runs / name / "model"
        ways: dict[Way, list[str]] = {"magnitude": ["--no-reconstruct"], "reconstructed": []}
        for way, options in ways.items():
            if not zeros and way == "reconstructed":
                continue  # nothing is taken away
            out = room / f"{way}-{zeros:g}"
            asked = [str(floats), "--calibrate", str(data), "-o", str(out), "--clip-cells", "10"]
            run_npu("quantize", *asked, "--prune", str(zeros), *options)
            _same_host(runs / LEARNT[0.0] / "model", out)
            yield zeros, way, out


def _floats(model: Path, folder: Path) -> None:
    """In a process: no report needs what training does."""
    command = [sys.executable, "-m", "compiler.train.sherpa.plain", str(model), str(folder)]
    subprocess.run(command, check=True)


def _same_host(of: Path, folder: Path) -> None:
    """The features and the search are those of another model, which the floats were written of."""
    theirs = json.loads((of / "model.json").read_text(encoding="utf-8"))
    own = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    for key in ("frontend", "max_symbols_per_frame"):
        own[key] = theirs[key]
    (folder / "model.json").write_text(json.dumps(own), encoding="utf-8")


def _features(model: Model, sound: Path) -> np.ndarray:
    """(CALLS, 1, frames, features) float32, as the encoder hears a recording."""
    speech = reference.speech_of(model)
    calls = np.concatenate([calls for _, calls in speech.features(sound)])[:CALLS]
    real = (calls.astype(np.float32) - speech.zero_point) * np.float32(speech.scale)
    return real[:, np.newaxis]


def _some(of: Path, folder: Path, count: int) -> Path:
    """The first utterances of a set, as a set."""
    folder.mkdir()
    lines = (of / FILE_NAME).read_text(encoding="utf-8").splitlines()[:count]
    for line in lines:
        audio = json.loads(line)["audio"]
        (folder / audio).symlink_to((of / audio).resolve())
    (folder / FILE_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def _point(zeros: float, way: Way, model: Path, heard: Path, room: Path) -> Point:
    report, image = room / "report.json", room / "image.npu"
    run_npu("evaluate", str(model), str(heard), "--errors", "0", "--json", str(report))
    run_npu("compile", str(model), "-o", str(image))
    speech = json.loads(report.read_text(encoding="utf-8"))["models"][0]["speech"]
    return {
        "zeros": zeros,
        "way": way,
        "words": speech["words"],
        "percent": speech["word_errors"]["percent"],
        "interval": speech["word_errors"]["interval"],
        "image_bytes": image.stat().st_size,
    }


def page(points: Sequence[Point]) -> str:
    """The page as Markdown, from what was measured."""
    told = {
        "learnt": "learnt with zeros, and on the chip's grid",
        "magnitude": "float weights, quantised here; the smallest are zero",
        "reconstructed": "the same, and what remains is moved",
    }
    lines = [
        "# Zeros after training, and zeros that were learnt",
        "",
        (
            "Written by `python -m reports.pruned FOLDER`, of `npu train pruned -o FOLDER`: the"
            " zoo's `commands` gets all of its weights back in 800 steps; from there networks"
            " learn in 400 steps with zeros (magnitude, each matrix alike), and the same network in"
            " floats goes through `npu quantize --clip-cells 10 --prune` (calibrated on"
            f" {CALLS:,} calls of one development recording). Words wrong of the first {UTTERANCES}"
            " utterances of `sets/test-30db`, greedily; bytes of the image for `edge`. The network"
            " had 75 % zeros before it got its weights back, so to find zeros in it is easy: one"
            " that was never sparse would lose more."
        ),
        "",
        "| zeros | how | words wrong (95 %) | image, bytes |",
        "|---:|---|---:|---:|",
    ]
    for each in points:
        low_high = each["interval"]
        within = f" ({low_high[0]:.2f} - {low_high[1]:.2f})" if low_high else ""
        lines.append(
            f"| {each['zeros']:.0%} | {told[each['way']]} | {each['percent']:.2f} %{within} |"
            f" {each['image_bytes']:,} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Measure unless `--page`, and write the page."""
    if arguments != ["--page"]:
        (runs,) = arguments
        write_atomic(RUN, (json.dumps(measure(Path(runs)), indent=1) + "\n").encode())
    points = json.loads(RUN.read_text(encoding="utf-8"))
    write_atomic(PAGE, page(points).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
