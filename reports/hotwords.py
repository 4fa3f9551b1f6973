"""Lists of names: `reports/hotwords.json` and `hotwords.md`.

python -m reports.hotwords FOLDER MODEL   # a run of `npu train`, and a transducer
python -m reports.hotwords --page         # writes the page again from the last run

Utterances with names that the model has never learnt are heard with lists of 10, 100 and 1,000: the
names of some utterances, which are heard together, and others that nobody says. Sentences without
any are heard with a list of names that nobody says.
"""

import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypedDict

from compiler import load_model, reference
from compiler.frontends.models import Model
from npu.analysis.error_intervals import grouped, percentiles, resampled
from npu.analysis.hearing import Ear, hear_set
from npu.files import write_atomic
from npu.speech.beam import BeamRules
from npu.speech.hotwords import Boost, Hotword
from npu.speech.spoken_sets import Utterance, read_set, set_file
from npu.speech.word_errors import align

PAGE = Path(__file__).with_name("hotwords.md")
RUN = Path(__file__).with_name("hotwords.json")

SIZES = (10, 100, 1_000)
WEIGHTS = {4: (1.0, 1.5, 2.0), 8: (1.5,)}
"""Of each number of paths, that of a beam without a word first."""
SETS = ("test-apart-30db", "speakers-apart-30db")
KIND, AROUND = "open", frozenset({"call", "message", "turn", "on", "the"})
"""Of the utterances in which names are said, and what else is said in them."""
MOST, GENERAL = 500, 400
_SEED = 20261128
_TAIL_S = 0.6


class Errors(TypedDict):
    """Words wrong, and what that is more than without a list, each with 95 % of the draws."""

    words: int
    percent: float
    more: float
    interval: tuple[float, float]


class Point(TypedDict):
    """A list of so many names at a weight, and a beam of so many paths; no list has no weight."""

    paths: int
    size: int
    weight: float
    named: Errors
    general: Errors


class Report(TypedDict):
    """All points, of each number of paths the first one without a list."""

    model: str
    named: int
    names: int
    general: int
    points: list[Point]


Counts = list[tuple[int, int]]
"""Errors and words of each utterance."""


def measure(folder: Path, model: str) -> Report:
    """All of them."""
    loaded = load_model(model)
    unlearnt, learnt = _pools(folder / "corpus")
    named = [each for name in SETS for each in _open(folder / "sets" / name)][:MOST]
    general = read_set(folder / "sets" / "test-30db")[:GENERAL]
    ours = set(unlearnt)
    points: list[Point] = []
    for paths, weights in WEIGHTS.items():
        base = [_heard(loaded, paths, each, ()) for each in (named, general)]
        _tell(points, paths, 0, 0.0, base, base)
        for size in SIZES:
            others = random.Random(_SEED).sample(unlearnt, len(unlearnt)) + learnt
            groups = list(_groups(named, ours, size))
            for weight in weights:
                found: Counts = []
                for some, own in groups:
                    filled = [*own, *(n for n in others if n not in own)][:size]
                    found += _heard(loaded, paths, some, [Hotword(n, weight) for n in filled])
                listed = [Hotword(n, weight) for n in others[:size]]
                both = [found, _heard(loaded, paths, general, listed)]
                _tell(points, paths, size, weight, both, base)
    said = {word for each in named for word in each.words if word in ours}
    return {
        "model": model,
        "named": len(named),
        "names": len(said),
        "general": len(general),
        "points": points,
    }


def _tell(
    points: list[Point],
    paths: int,
    size: int,
    weight: float,
    found: Sequence[Counts],
    base: Sequence[Counts],
) -> None:
    named, general = (_errors(*pair) for pair in zip(found, base, strict=True))
    points.append(
        {"paths": paths, "size": size, "weight": weight, "named": named, "general": general}
    )
    print(json.dumps(points[-1]), flush=True)


def _pools(corpus: Path) -> tuple[list[str], list[str]]:
    """Names that the training side has none of, and those that it has."""
    said: dict[bool, set[str]] = {True: set(), False: set()}
    for file in sorted(corpus.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            clip = json.loads(line)
            if clip["kind"] == KIND:
                said[file.name.startswith("train-")] |= set(clip["text"].split()) - AROUND
    return sorted(said[False] - said[True]), sorted(said[True])


def _open(place: Path) -> Iterator[Utterance]:
    lines = set_file(place).read_text(encoding="utf-8").splitlines()
    for utterance, line in zip(read_set(place), lines, strict=True):
        if json.loads(line)["kind"] == KIND:
            yield utterance


def _groups(
    utterances: Sequence[Utterance], known: set[str], size: int
) -> Iterator[tuple[list[Utterance], list[str]]]:
    """Utterances that follow each other, with at most so many names together."""
    some: list[Utterance] = []
    own: list[str] = []
    for each in utterances:
        new = [word for word in dict.fromkeys(each.words) if word in known and word not in own]
        if some and len(own) + len(new) > size:
            yield some, own
            some, own, new = [], [], [word for word in dict.fromkeys(each.words) if word in known]
        some.append(each)
        own += new
    if some:
        yield some, own


def _heard(
    model: Model, paths: int, utterances: Sequence[Utterance], hotwords: Iterable[Hotword]
) -> Counts:
    speech, listed = reference.speech_of(model), list(hotwords)
    boost = Boost(listed, speech.tokens) if listed else None

    def ear() -> Ear:
        return Ear(speech, reference.beam_of(model, BeamRules(paths), boost=boost))

    where = utterances[0].path
    heard = hear_set(utterances, ear, where=where, tail_seconds=_TAIL_S, jobs=1)
    aligned = [align(u.words, h.words) for u, h in zip(utterances, heard, strict=True)]
    return [(each.errors, each.words) for each in aligned]


def _errors(found: Counts, base: Counts) -> Errors:
    """Both on the same draws of utterances."""
    errors, words = zip(*found, strict=True)
    before = [each[0] for each in base]
    drawn = resampled(grouped([errors, before, words], [str(n) for n in range(len(found))]))
    more = 100 * (drawn[0] - drawn[1]) / drawn[2]
    total = sum(words)
    return {
        "words": total,
        "percent": 100 * sum(errors) / total,
        "more": 100 * (sum(errors) - sum(before)) / total,
        "interval": percentiles(more),
    }


def page(report: Report) -> str:
    """The page as Markdown, from what was measured."""
    lines = [
        "# What a list of names does",
        "",
        (
            f"Written by `python -m reports.hotwords FOLDER {report['model']}`, with the sets of"
            f" `npu train commands`. {report['named']:,} utterances with {report['names']:,} names"
            " that the model has never learnt, in lists of so many: their own names and others that"
            f" nobody says. {report['general']:,} sentences without such names, with a list of as"
            " many. 30 dB; words wrong, and how much more that is than without a list"
            " (95 % of draws of utterances)."
        ),
        "",
        (
            "| paths | names | nats a letter | with names: wrong | more, points | without: wrong |"
            " more, points |"
        ),
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in report["points"]:
        listed = [f"{each['size']:,}", f"{each['weight']:g}"] if each["size"] else ["none", ""]
        cells = [f"{each['paths']}", *listed]
        for key in (each["named"], each["general"]):
            low, high = key["interval"]
            cells.append(f"{key['percent']:.1f} %")
            cells.append(f"{key['more']:+.1f} ({low:+.1f} to {high:+.1f})" if each["size"] else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Measure unless `--page`, and write the page."""
    if arguments != ["--page"]:
        folder, model = arguments
        write_atomic(RUN, (json.dumps(measure(Path(folder), model), indent=1) + "\n").encode())
    report = json.loads(RUN.read_text(encoding="utf-8"))
    write_atomic(PAGE, page(report).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
