"""Figures of a model that were measured and kept: the `figures.json` in its folder.

`npu zoo NAME --measure` writes it, nothing else does. Every record says with which command, when,
with which version, and on what it was measured, so that it is seen when that has changed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npu import __version__
from npu.analysis.evaluation_results import EvaluateReport
from npu.analysis.latency import Latency
from npu.analysis.latency_report import latency_report
from npu.chip.params import ChipParams
from npu.errors import ModelError
from npu.files import read_text, write_atomic
from npu.text import json_text, printable

FILE_NAME = "figures.json"
MAX_BYTES = 1 << 24

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Figure = Annotated[float, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Measured(_Frozen):
    """What every record tells.

    Attributes
    ----------
    command : that shows the figures again.
    version : of zeroskip. day : of the measurement.
    sources : the model's files with their SHA-256.
    """

    command: Text
    version: Text
    day: date
    sources: Annotated[dict[str, Digest], Field(min_length=1)]


class Rate(_Frozen):
    """As `npu.analysis.evaluation_results.RateReport`."""

    percent: Figure
    interval: tuple[float, float] | None


class Speech(_Frozen):
    """As `npu.analysis.evaluation_results.ErrorsReport`."""

    utterances: Count
    recordings: Count
    words: Count
    substitutions: Count
    deletions: Count
    insertions: Count
    word_errors: Rate
    sentence_errors: Rate


class Delay(_Frozen):
    """As `npu.analysis.evaluation_results.DelayReport`."""

    words: Count
    p50_ms: float
    p95_ms: float


class Rejection(_Frozen):
    """As `npu.analysis.evaluation_results.RejectionReport`."""

    hours: Figure
    phrases: Count
    phrases_per_hour: Figure
    phrases_interval: tuple[float, float]


class Heard(Measured):
    """Word errors on a set.

    Attributes
    ----------
    set, set_sha256 : its name, and `npu.speech.spoken_sets.set_digest`.
    level : of the intervals. seconds : of sound. kinds : errors by kind of text.
    """

    set: Text
    set_sha256: Digest
    utterances: Count
    seconds: Figure
    speakers: Count
    level: Annotated[float, Field(gt=0, lt=1)]
    speech: Speech | None
    kinds: dict[str, Speech] = {}
    delay: Delay | None
    rejection: Rejection | None


class OnChip(Measured):
    """Frames on a chip, as `npu latency` has them.

    Attributes
    ----------
    chip_sha256 : `chip_digest`.
    frames, decided : how many, and what decided where data would, in words.
    cycles, ms : of a frame, by "p50", "p90", "p99" and "max".
    energy_uj : of a frame in the mean, by cause, and their "total"; an estimate.
    """

    chip: Text
    chip_sha256: Digest
    frames: Count
    decided: Text
    boot_cycles: Count
    cycles: dict[str, Figure]
    ms: dict[str, Figure]
    energy_uj: dict[str, Figure]


class Figures(_Frozen):
    """The whole file: at most one record of a set, and one of a chip."""

    format: Literal[1] = 1
    sets: tuple[Heard, ...] = ()
    chips: tuple[OnChip, ...] = ()

    def with_new(self, sets: Sequence[Heard], chips: Sequence[OnChip]) -> "Figures":
        """New records take the place of those of the same set or chip; others stay."""
        old_sets = {each.set: each for each in self.sets}
        old_chips = {each.chip: each for each in self.chips}
        return Figures(
            sets=tuple((old_sets | {each.set: each for each in sets}).values()),
            chips=tuple((old_chips | {each.chip: each for each in chips}).values()),
        )


@dataclass(frozen=True)
class Today:
    """What figures must have been measured on, not to be stale.

    Attributes
    ----------
    sources : the model's files with their SHA-256.
    sets, chips : digests by name, of those that are here.
    """

    sources: Mapping[str, str]
    sets: Mapping[str, str]
    chips: Mapping[str, str]

    def stale(self, record: Heard | OnChip) -> list[str]:
        """What has changed since a record, in words; none if nothing has, as far as is known."""
        names = sorted({*record.sources, *self.sources})
        found = [
            f"{printable(name)} has changed"
            for name in names
            if record.sources.get(name) != self.sources.get(name)
        ]
        if isinstance(record, Heard):
            what, name, then, now = "set", record.set, record.set_sha256, self.sets
        else:
            what, name, then, now = "chip", record.chip, record.chip_sha256, self.chips
        if now.get(name, then) != then:
            found.append(f"the {what} {printable(name)} has changed")
        return found


def chip_digest(params: ChipParams) -> str:
    """SHA-256 of a chip's parameters, its technology too."""
    return hashlib.sha256(params.model_dump_json().encode()).hexdigest()


def heard(
    report: EvaluateReport, model: str, sources: Mapping[str, str], set_sha256: str, day: date
) -> Heard:
    """The record of `npu evaluate`'s report of one model."""
    (of,) = report["models"]
    return Heard(
        command=f"npu evaluate {model} {report['set']}",
        version=__version__,
        day=day,
        sources=dict(sources),
        set=report["set"],
        set_sha256=set_sha256,
        utterances=report["utterances"],
        seconds=report["seconds"],
        speakers=report["speakers"],
        level=report["level"],
        speech=_picked(Speech, of.get("speech")),
        kinds={kind: _picked(Speech, errors) for kind, errors in of.get("kinds", {}).items()},
        delay=_picked(Delay, of.get("delay")),
        rejection=_picked(Rejection, of.get("rejection")),
    )


def _picked(kind: type[_Frozen], report: Mapping[str, Any] | None) -> Any:
    """A record of those keys of a report that it has."""
    return (
        None if report is None else kind.model_validate({k: report[k] for k in kind.model_fields})
    )


def on_chip(latency: Latency, model: str, sources: Mapping[str, str], day: date) -> OnChip:
    """The record of the frames of `npu.analysis.latency.latency_of`."""
    report = latency_report(latency)
    params = latency.params
    return OnChip(
        command=f"npu latency {model} --chip {params.name}",
        version=__version__,
        day=day,
        sources=dict(sources),
        chip=params.name,
        chip_sha256=chip_digest(params),
        frames=report["frames"],
        decided=report["decided"],
        boot_cycles=report["boot_cycles"],
        cycles=report["frame"]["cycles"],
        ms=report["frame"]["ms"],
        energy_uj=report["total"]["energy_uj"],
    )


def read_figures(folder: Path) -> Figures:
    """Of a model's folder; none where nothing was measured.

    Raises ModelError for a file that is none of figures: the first wrong keys are named.
    """
    file = folder / FILE_NAME
    if not file.exists():
        return Figures()
    text = read_text(file, MAX_BYTES, ModelError)
    try:
        return Figures.model_validate_json(text)
    except ValidationError as error:
        told = "; ".join(
            f"{printable('.'.join(map(str, each['loc'])) or 'it')}: {each['msg']}"
            for each in error.errors(include_url=False)[:3]
        )
        raise ModelError(
            f"{file}: {told}; take the file away, and measure again with npu zoo NAME --measure"
        ) from error


def write_figures(folder: Path, figures: Figures) -> None:
    """Raises NpuError where the folder cannot be written."""
    write_atomic(folder / FILE_NAME, json_text(json.loads(figures.model_dump_json())).encode())
