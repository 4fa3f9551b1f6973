"""The schema of `npu evaluate`'s report; as `npu.analysis.results`, which holds those of runs."""

from typing import NotRequired, TypedDict

from npu.analysis.confidence import ConfidenceReport
from npu.analysis.heard_results import DecodingReport


class RateReport(TypedDict):
    """A share in percent; `interval` is the middle 95 % of the draws, None of one recording."""

    percent: float
    interval: tuple[float, float] | None


class ErrorsReport(TypedDict):
    """Word errors of utterances with words.

    Attributes
    ----------
    recordings : what the intervals draw: utterances, or what several of them come from.
    words : of the texts. hits, substitutions, deletions, insertions : see
        `npu.speech.word_errors`.
    word_errors : all three over the words. sentence_errors : utterances with an error.
    """

    utterances: int
    recordings: int
    words: int
    hits: int
    substitutions: int
    deletions: int
    insertions: int
    errors: int
    wrong_utterances: int
    word_errors: RateReport
    sentence_errors: RateReport


class DelayReport(TypedDict):
    """From a word's end to its emission, see `npu.speech.whole.call_seconds`.

    Of words that were heard right and whose end the set knows, in milliseconds.
    """

    words: int
    p50_ms: float
    p95_ms: float


class RejectionReport(TypedDict):
    """Sounds in which nothing must be understood.

    Attributes
    ----------
    hours : of sound. words, phrases : understood nevertheless.
    phrases_interval : phrases an hour, the exact limits of Poisson's distribution.
    """

    utterances: int
    hours: float
    words: int
    phrases: int
    words_per_hour: float
    phrases_per_hour: float
    phrases_interval: tuple[float, float]


class AtScoreReport(TypedDict):
    """What a `--min-score` would change, of what a beam has heard.

    Attributes
    ----------
    min_score : phrases below it are nothing.
    phrases_per_hour : where nothing must be understood, and its `phrases_interval`.
    word_errors : of utterances with words, those below with all words missing; `rejected` of them.
    """

    min_score: float
    phrases_per_hour: NotRequired[float]
    phrases_interval: NotRequired[tuple[float, float]]
    word_errors: NotRequired[RateReport]
    rejected: NotRequired[int]


class LatticesReport(TypedDict):
    """Lattices of utterances with words.

    Attributes
    ----------
    oracle : word errors if of all texts in a lattice the best one were always taken.
    arcs_per_word : over the words of the texts.
    """

    oracle: RateReport
    arcs_per_word: float


class TiesReport(TypedDict):
    """What a model's joiner gave in all utterances: see `npu.analysis.ties`.

    Attributes
    ----------
    outputs : (symbols,) int8 logits, one a question of the search.
    equal : those whose two largest logits are equal; int32 logits could change a greedy search in
        these alone. with_blank : in which blank is one of the largest.
    """

    outputs: int
    equal: int
    with_blank: int


class ConfusionReport(TypedDict):
    """A word of the texts heard as another one; None where there is none."""

    said: str | None
    heard: str | None
    count: int


class UtteranceReport(TypedDict):
    """An utterance and what was heard.

    Attributes
    ----------
    line : of the set. pairs : each word of the text with the one heard, None for none.
    delays_ms : of each pair that is right, else None; where the set knows when words end.
    phrases : where nothing must be understood.
    """

    line: int
    audio: str
    speaker: str | None
    recording: str
    seconds: float
    text: str
    heard: str
    substitutions: int
    deletions: int
    insertions: int
    pairs: list[tuple[str | None, str | None]]
    delays_ms: NotRequired[list[float | None]]
    phrases: NotRequired[int]


class ModelReport(TypedDict):
    """A model on the set.

    Attributes
    ----------
    speech : of utterances with words, speakers : of each speaker, where there is more than one,
        kinds : of each kind of text, likewise.
    oracle : word errors if of all texts that a beam has kept, or of the likeliest of its lattice,
        the best one were always taken.
    confidence : of the words that a beam has heard in utterances with words.
    """

    model: str
    speech: NotRequired[ErrorsReport]
    oracle: NotRequired[RateReport]
    lattice: NotRequired[LatticesReport]
    confidence: NotRequired[ConfidenceReport]
    speakers: NotRequired[dict[str, ErrorsReport]]
    kinds: NotRequired[dict[str, ErrorsReport]]
    rejection: NotRequired[RejectionReport]
    at_scores: NotRequired[list[AtScoreReport]]
    delay: NotRequired[DelayReport]
    ties: NotRequired[TiesReport]
    confusions: list[ConfusionReport]
    utterances: list[UtteranceReport]


class DifferenceReport(TypedDict):
    """Two models on the same draws: the first one's word errors less the second one's.

    Attributes
    ----------
    points : of percent, and the middle 95 % of the draws.
    first_better, equal : shares of the draws.
    """

    points: float
    interval: tuple[float, float] | None
    first_better: float
    equal: float


class EvaluateReport(TypedDict):
    """`npu evaluate`.

    Attributes
    ----------
    seconds : of sound. speakers : how many the set names.
    notes : what was odd about files. decoding : of the first model.
    """

    set: str
    engine: str
    tail_seconds: float
    level: float
    resamples: int
    seed: int
    utterances: int
    seconds: float
    speakers: int
    models: list[ModelReport]
    difference: NotRequired[DifferenceReport]
    decoding: NotRequired[DecodingReport]
    notes: list[str]
