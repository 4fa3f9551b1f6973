"""Where phrases are found to end: cut off, late, taken back, split, missed, heard in noise.

A phrase is found where a segment that was heard overlaps it in time. Delays are in seconds of sound
from the end of its last word to the end of the encoder call in which the news came; what the engine
takes for a call comes on top of that.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from npu.analysis.endpoints_results import DelaysReport, EndpointsReport, ShareReport
from npu.analysis.error_intervals import grouped, percentiles, resampled
from npu.analysis.hearing import Ear
from npu.errors import InputError
from npu.speech.ends import EndRule
from npu.speech.listen import Event, Kind, events_of
from npu.speech.spoken_sets import Said, Utterance
from npu.speech.stream import Stream

_CLOCK_SECONDS = 0.1
"""A word may end so far behind the sound: aligners count in frames."""


@dataclass(frozen=True)
class Segment:
    """What was heard as one phrase.

    Attributes
    ----------
    start, end : seconds of its sound. at : when its end was told.
    over_at : when it was first taken to be over; None where it was not.
    taken_back : whether that was wrong.
    """

    start: float
    end: float
    at: float
    over_at: float | None
    taken_back: bool


@dataclass(frozen=True)
class Session:
    """A recording of so many seconds: what was said and what was heard in it."""

    name: str
    seconds: float
    said: Sequence[Said]
    heard: Sequence[Segment]


def hear_session(ear: Ear, utterance: Utterance, rule: EndRule) -> Session:
    """Hear a recording as it comes, call by call.

    Raises AudioError for what is no sound, InputError for a word that ends behind it.
    """
    stream = Stream(ear.speech, ear.engine, rule, name=str(utterance.path))
    found = segments(events_of(stream, utterance.path, ear.min_score))
    if utterance.ends and max(utterance.ends) > stream.seconds + _CLOCK_SECONDS:
        raise InputError(
            f"{utterance.audio}: a word ends at {max(utterance.ends):g} s, behind the end of the "
            f"sound at {stream.seconds:g} s"
        )
    return Session(utterance.audio, stream.seconds, utterance.phrases, found)


def segments(events: Iterable[Event]) -> list[Segment]:
    """The phrases with a text that events tell of."""
    found = []
    over_at: float | None = None
    taken_back = False
    for event in events:
        taken_back = taken_back or event.resets
        if event.kind == Kind.SPECULATIVE and over_at is None:
            over_at = event.at
        if event.kind == Kind.FINAL:
            spoken = event.spoken
            if spoken.text:
                found.append(Segment(spoken.start, spoken.end, event.at, over_at, taken_back))
            over_at, taken_back = None, False
    return found


@dataclass(frozen=True)
class _Outcome:
    """Of a phrase that was said: the segments that overlap it.

    Attributes
    ----------
    alone : whether it is the only one in each of them.
    """

    said: Said
    heard: Sequence[Segment]
    alone: bool

    @property
    def once(self) -> bool:
        return len(self.heard) == 1 and self.alone

    @property
    def cut_off(self) -> bool:
        return bool(self.heard) and self.heard[0].at < self.said.end

    @property
    def taken_back(self) -> bool:
        return any(each.taken_back for each in self.heard)


def _outcomes(session: Session) -> list[_Outcome]:
    return [
        _Outcome(
            said,
            found := [each for each in session.heard if _overlap(each, said)],
            all(sum(_overlap(each, other) for other in session.said) == 1 for each in found),
        )
        for said in session.said
    ]


def _overlap(heard: Segment, said: Said) -> bool:
    return heard.start < said.end and heard.end > said.start


def endpoints_report(
    sessions: Sequence[Session], rule: EndRule, seconds_per_call: float
) -> EndpointsReport:
    """All recordings together; intervals are over recordings."""
    of = {session.name: _outcomes(session) for session in sessions}
    pairs = [(name, each) for name, outcomes in of.items() for each in outcomes]
    found = [each for _, each in pairs if each.heard]
    # Of a phrase that was cut off there is no delay, and none of two in one segment.
    ended = [each for each in found if each.once and not each.cut_off]
    extra = sum(
        not any(_overlap(heard, said) for said in session.said)
        for session in sessions
        for heard in session.heard
    )

    return {
        "quiet_ms": 1e3 * rule.quiet_calls * seconds_per_call,
        "hesitant_ms": 1e3 * rule.hesitant_calls * seconds_per_call,
        "lead_ms": 1e3 * rule.lead_calls * seconds_per_call,
        "ended_ms": 1e3 * rule.ended_calls * seconds_per_call,
        "recordings": len(sessions),
        "phrases": len(pairs),
        "found_once": sum(each.once for each in found),
        "missed": len(pairs) - len(found),
        "split": sum(len(each.heard) > 1 for each in found),
        "merged": sum(not each.alone for each in found),
        "extra": extra,
        "cut_off": _share(pairs, lambda each: each.cut_off, lambda each: bool(each.heard)),
        "final_delay_ms": _delays(each.heard[0].at - each.said.end for each in ended),
        "speculative_delay_ms": _delays(
            each.heard[0].over_at - each.said.end
            for each in ended
            if each.heard[0].over_at is not None and not each.taken_back
        ),
        "taken_back": _share(
            pairs,
            lambda each: each.taken_back,
            lambda each: any(heard.over_at is not None for heard in each.heard),
        ),
        "end_error_ms": _delays(abs(each.heard[0].end - each.said.end) for each in ended),
    }


def _share(
    pairs: Sequence[tuple[str, _Outcome]],
    is_so: Callable[[_Outcome], bool],
    among: Callable[[_Outcome], bool],
) -> ShareReport:
    chosen = [(name, each) for name, each in pairs if among(each)]
    if not chosen:
        return {"count": 0, "of": 0, "percent": None, "interval": None}
    names = [name for name, _ in chosen]
    counts = grouped([[is_so(each) for _, each in chosen], [1.0] * len(chosen)], names)
    drawn = resampled(counts)
    low, high = percentiles(100 * drawn[0] / drawn[1])
    count = round(counts[0].sum())
    return {
        "count": count,
        "of": len(chosen),
        "percent": 100 * count / len(chosen),
        "interval": [low, high] if len(set(names)) > 1 else None,
    }


def _delays(seconds: Iterable[float]) -> DelaysReport | None:
    values = [1e3 * each for each in seconds]
    if not values:
        return None
    p50, p95 = np.percentile(values, [50, 95])
    return {"count": len(values), "p50": float(p50), "p95": float(p95), "max": max(values)}
