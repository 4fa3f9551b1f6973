"""The schema of `npu bench sherpa`."""

from typing import TypedDict


class DifferenceReport(TypedDict):
    """Texts that differ, and the rule that is the reason; None for none."""

    audio: str
    ours: str
    theirs: str
    reason: str | None


class CaseReport(TypedDict):
    """A case.

    Attributes
    ----------
    equal : utterances of the same text. reasons : of the others, by reason, how many.
    unexplained : of the others, for which no rule is the reason.
    calls : of equal texts, how many have each symbol in the same encoder call.
    apart : nats between scores of the same symbols, at most; None where theirs tells none.
    errors, their_errors, words : wrong words of both, and how many there are.
    features : shares of integers that are equal, and at most one step apart; None where the
        features are ours.
    examples : the first differences.
    """

    case: str
    search: str
    equal: int
    reasons: dict[str, int]
    unexplained: int
    calls: int
    apart: float | None
    errors: int
    their_errors: int
    words: int
    features: tuple[float, float] | None
    examples: list[DifferenceReport]


class SherpaReport(TypedDict):
    """All cases."""

    model: str
    version: str
    utterances: int
    cases: list[CaseReport]
