"""The schema of `npu endpoints`."""

from typing import NotRequired, TypedDict

from npu.analysis.heard_results import DecodingReport


class ShareReport(TypedDict):
    """How many `of` so many phrases, and the interval of the percentage: by the bootstrap over
    recordings. Both are None of no phrase, the interval of one recording as well.
    """

    count: int
    of: int
    percent: float | None
    interval: list[float] | None


class DelaysReport(TypedDict):
    """Milliseconds of so many phrases."""

    count: int
    p50: float
    p95: float
    max: float


class EndpointsReport(TypedDict):
    """Where the phrases of a set were found to end.

    Attributes
    ----------
    quiet_ms, hesitant_ms, lead_ms : the rule: silence that ends a phrase, and one in which the
        speaker has paused, and how long before that it is taken to be over.
    ended_ms : so long behind its `</s>`, of a model that has one.
    recordings, phrases : how many.
    found_once : phrases that one segment overlaps, and that no other phrase shares it with.
    missed, split, merged : those that none overlaps, or several do, or that share one.
    extra : segments that overlap no phrase.
    cut_off : of those found, whose end was told before that of their last word.
    final_delay_ms, speculative_delay_ms : from the end of the last word to where the end was told,
        and to where the phrase was rightly taken to be over; of those found once, not cut off.
    taken_back : of those that were taken to be over, which was wrong.
    end_error_ms : from the last word's end to the segment's, either way.
    """

    quiet_ms: float
    hesitant_ms: float
    lead_ms: float
    ended_ms: float
    recordings: int
    phrases: int
    found_once: int
    missed: int
    split: int
    merged: int
    extra: int
    cut_off: ShareReport
    final_delay_ms: DelaysReport | None
    speculative_delay_ms: DelaysReport | None
    taken_back: ShareReport
    end_error_ms: DelaysReport | None


class EndpointsOfModel(TypedDict):
    """`npu endpoints`.

    Attributes
    ----------
    found : by the rule that was asked for.
    rules, timers : by other silences, with and without a longer one behind a pause.
    ends : of a model that has `</s>`, by other times behind it.
    """

    model: str
    set: str
    decoding: DecodingReport
    seconds: float
    found: EndpointsReport
    rules: NotRequired[list[EndpointsReport]]
    timers: NotRequired[list[EndpointsReport]]
    ends: NotRequired[list[EndpointsReport]]
