"""From what models heard in a set to their error rates, intervals and delays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from npu.analysis.confidence import ConfidenceReport, confidence_report
from npu.analysis.error_intervals import (
    LEVEL,
    RESAMPLES,
    SEED,
    grouped,
    percentiles,
    poisson_interval,
    resampled,
)
from npu.analysis.evaluation_results import (
    AtScoreReport,
    DelayReport,
    DifferenceReport,
    ErrorsReport,
    EvaluateReport,
    ModelReport,
    RateReport,
    RejectionReport,
    TiesReport,
    UtteranceReport,
)
from npu.analysis.hearing import Hearing
from npu.speech.spoken_sets import Utterance
from npu.speech.word_errors import Aligned, align, confusions

NOT_NAMED = "(not named)"

SCORES = (-2.0, -1.0, -0.5, -0.3, -0.2, -0.1)
"""Of which a report says what they would be as a `--min-score`."""


@dataclass(frozen=True)
class Scored:
    """An utterance, what was heard in it, and both side by side."""

    utterance: Utterance
    hearing: Hearing
    aligned: Aligned

    @staticmethod
    def of(utterance: Utterance, hearing: Hearing) -> "Scored":
        return Scored(utterance, hearing, align(utterance.words, hearing.words))

    @property
    def least(self) -> "Scored | None":
        """With the text that has the fewest errors of all that a beam has kept."""
        if self.hearing.alternatives is None:
            return None
        aligned = [align(self.utterance.words, each) for each in self.hearing.alternatives]
        return replace(self, aligned=min(aligned, key=lambda each: each.errors))

    @property
    def closest(self) -> "Scored | None":
        """With the text that has the fewest errors of all in the lattice."""
        if self.hearing.closest is None:
            return None
        return replace(self, aligned=align(self.utterance.words, self.hearing.closest))


def score(utterances: Sequence[Utterance], heard: Sequence[Hearing]) -> list[Scored]:
    """Align each utterance with what was heard."""
    return [Scored.of(*pair) for pair in zip(utterances, heard, strict=True)]


def evaluate_report(
    name: str, models: Mapping[str, Sequence[Scored]], engine: str, tail_seconds: float
) -> EvaluateReport:
    """The set `name` as heard by one model or two, each on the same utterances."""
    first, *others = models.values()
    report: EvaluateReport = {
        "set": name,
        "engine": engine,
        "tail_seconds": tail_seconds,
        "level": LEVEL,
        "resamples": RESAMPLES,
        "seed": SEED,
        "utterances": len(first),
        "seconds": sum(each.hearing.seconds for each in first),
        "speakers": len({each.utterance.speaker for each in first} - {None}),
        "models": [_model(model, scored) for model, scored in models.items()],
        "notes": list(dict.fromkeys(chain(*(each.hearing.notes for each in first)))),
    }
    if others and (difference := _difference(_spoken(first), _spoken(others[0]))):
        report["difference"] = difference
    return report


def _spoken(scored: Sequence[Scored]) -> list[Scored]:
    return [each for each in scored if each.utterance.words]


def _model(model: str, scored: Sequence[Scored]) -> ModelReport:
    spoken = _spoken(scored)
    report: ModelReport = {
        "model": model,
        "confusions": [
            {"said": pair[0], "heard": pair[1], "count": count}
            for pair, count in confusions([each.aligned for each in spoken])
        ],
        "utterances": [_utterance(each) for each in scored],
    }
    if spoken:
        report["speech"] = _errors(spoken)
        if oracle := [least for each in spoken if (least := each.least) is not None]:
            report["oracle"] = _errors(oracle)["word_errors"]
        if closest := [each for of in spoken if (each := of.closest) is not None]:
            report["lattice"] = {
                "oracle": _errors(closest)["word_errors"],
                "arcs_per_word": sum(each.hearing.arcs for each in closest)
                / sum(each.aligned.words for each in closest),
            }
        if confidence := _confidence(spoken):
            report["confidence"] = confidence
        if by_speaker := _by(spoken, lambda of: of.speaker):
            report["speakers"] = by_speaker
        if by_kind := _by(spoken, lambda of: of.kind):
            report["kinds"] = by_kind
    if len(spoken) < len(scored):
        report["rejection"] = _rejection([each for each in scored if not each.utterance.words])
    if any(each.hearing.scores for each in scored):
        report["at_scores"] = [_at_score(scored, score) for score in SCORES]
    if delay := _delay(spoken):
        report["delay"] = delay
    if ties := _ties(scored):
        report["ties"] = ties
    return report


def _confidence(spoken: Sequence[Scored]) -> ConfidenceReport | None:
    """Of the words of utterances that a beam has heard."""
    known = [each for each in spoken if each.hearing.sure is not None]
    sure = [each for of in known for each in of.hearing.sure or ()]
    pairs = [pair for each in known for pair in each.aligned.pairs]
    right = [said == heard for said, heard in pairs if heard is not None]
    return confidence_report(sure, right)


def _ties(scored: Sequence[Scored]) -> TiesReport | None:
    """None where nobody counted."""
    counts = [each.hearing.ties for each in scored if each.hearing.ties is not None]
    if not counts:
        return None
    return {
        "outputs": sum(each.outputs for each in counts),
        "equal": sum(each.equal for each in counts),
        "with_blank": sum(each.with_blank for each in counts),
    }


def _at_score(scored: Sequence[Scored], score: float) -> AtScoreReport:
    """If phrases below a score were nothing; utterances with no score have heard nothing."""
    found: AtScoreReport = {"min_score": score}
    spoken = _spoken(scored)
    quiet = [each for each in scored if not each.utterance.words]
    if quiet:
        hours = sum(each.hearing.seconds for each in quiet) / 3600
        kept = sum(of >= score for each in quiet for of in each.hearing.scores or ())
        low, high = poisson_interval(kept, LEVEL)
        found["phrases_per_hour"] = kept / hours
        found["phrases_interval"] = (low / hours, high / hours)
    if spoken:
        below = [min(each.hearing.scores or (0.0,)) < score for each in spoken]
        left = [
            replace(each, aligned=align(each.utterance.words, ())) if is_below else each
            for each, is_below in zip(spoken, below, strict=True)
        ]
        found["word_errors"] = _errors(left)["word_errors"]
        found["rejected"] = sum(below)
    return found


def _by(
    spoken: Sequence[Scored], what: Callable[[Utterance], str | None]
) -> dict[str, ErrorsReport]:
    """The errors by what utterances have; nothing where all have the same."""
    groups: dict[str, list[Scored]] = {}
    for each in spoken:
        groups.setdefault(what(each.utterance) or NOT_NAMED, []).append(each)
    return {name: _errors(of) for name, of in sorted(groups.items())} if len(groups) > 1 else {}


def _counts(spoken: Sequence[Scored]) -> NDArray[np.float64]:
    """By recording: words, errors, utterances, those with an error."""
    rows: list[list[float]] = [
        [each.aligned.words for each in spoken],
        [each.aligned.errors for each in spoken],
        [1] * len(spoken),
        [each.aligned.errors > 0 for each in spoken],
    ]
    return grouped(rows, [each.utterance.recording for each in spoken])


def _errors(spoken: Sequence[Scored]) -> ErrorsReport:
    counts = _counts(spoken)
    words, errors, utterances, wrong = (int(each) for each in counts.sum(axis=1))
    drawn = resampled(counts) if counts.shape[1] > 1 else None
    aligned = [each.aligned for each in spoken]

    def rate(over: int, under: int) -> RateReport:
        interval = None if drawn is None else percentiles(100 * drawn[over] / drawn[under])
        return {
            "percent": 100 * float(counts[over].sum() / counts[under].sum()),
            "interval": interval,
        }

    return {
        "utterances": utterances,
        "recordings": counts.shape[1],
        "words": words,
        "hits": sum(each.hits for each in aligned),
        "substitutions": sum(each.substitutions for each in aligned),
        "deletions": sum(each.deletions for each in aligned),
        "insertions": sum(each.insertions for each in aligned),
        "errors": errors,
        "wrong_utterances": wrong,
        "word_errors": rate(1, 0),
        "sentence_errors": rate(3, 2),
    }


def _difference(first: Sequence[Scored], second: Sequence[Scored]) -> DifferenceReport | None:
    """None where nothing is said in the set."""
    if not first:
        return None
    words, errors = _counts(first)[:2]
    others = _counts(second)[1]
    points = 100 * float((errors.sum() - others.sum()) / words.sum())
    if len(words) == 1:
        better, equal = float(points < 0), float(points == 0)
        return {"points": points, "interval": None, "first_better": better, "equal": equal}
    drawn = resampled(np.stack([words, errors - others]))
    return {
        "points": points,
        "interval": percentiles(100 * drawn[1] / drawn[0]),
        "first_better": float(np.mean(drawn[1] < 0)),
        "equal": float(np.mean(drawn[1] == 0)),
    }


def _rejection(quiet: Sequence[Scored]) -> RejectionReport:
    hours = sum(each.hearing.seconds for each in quiet) / 3600
    words = sum(len(each.hearing.words) for each in quiet)
    phrases = sum(each.hearing.phrases or 0 for each in quiet)
    low, high = poisson_interval(phrases, LEVEL)
    return {
        "utterances": len(quiet),
        "hours": hours,
        "words": words,
        "phrases": phrases,
        "words_per_hour": words / hours,
        "phrases_per_hour": phrases / hours,
        "phrases_interval": (low / hours, high / hours),
    }


def _delay(spoken: Sequence[Scored]) -> DelayReport | None:
    """None where no word was right, or the set does not know when words end."""
    found = [delay for each in spoken for delay in delays_ms(each) or () if delay is not None]
    if not found:
        return None
    return {
        "words": len(found),
        "p50_ms": float(np.percentile(found, 50)),
        "p95_ms": float(np.percentile(found, 95)),
    }


def delays_ms(scored: Scored) -> list[float | None] | None:
    """Of each pair of an alignment that is right, from the word's end to its emission; else None.

    None of an utterance of which the set does not know when words end.
    """
    ends, emitted = scored.utterance.ends, scored.hearing.emitted
    if ends is None or emitted is None:
        return None
    said = heard = 0
    found: list[float | None] = []
    for pair in scored.aligned.pairs:
        is_right = pair[0] == pair[1]
        found.append(1e3 * (emitted[heard] - ends[said]) if is_right else None)
        said += pair[0] is not None
        heard += pair[1] is not None
    return found


def _utterance(scored: Scored) -> UtteranceReport:
    utterance, hearing, aligned = scored.utterance, scored.hearing, scored.aligned
    report: UtteranceReport = {
        "line": utterance.line,
        "audio": utterance.audio,
        "speaker": utterance.speaker,
        "recording": utterance.recording,
        "seconds": hearing.seconds,
        "text": " ".join(utterance.words),
        "heard": " ".join(hearing.words),
        "substitutions": aligned.substitutions,
        "deletions": aligned.deletions,
        "insertions": aligned.insertions,
        "pairs": list(aligned.pairs),
    }
    if (delays := delays_ms(scored)) is not None:
        report["delays_ms"] = delays
    if hearing.phrases is not None:
        report["phrases"] = hearing.phrases
    return report
