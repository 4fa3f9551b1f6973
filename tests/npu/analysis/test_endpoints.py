"""What is counted of where phrases end, on sessions that are written down."""

from types import SimpleNamespace

import pytest

from npu.analysis.endpoints import Segment, Session, endpoints_report, segments
from npu.speech.ends import COMMANDS
from npu.speech.listen import Event, Kind
from npu.speech.spoken_sets import Said

RULE = COMMANDS.rule(0.06)
SAID = [Said("one", 1.0, 2.0), Said("two", 4.0, 5.0), Said("three", 7.0, 8.0)]


def report(*heard, said=SAID):
    return endpoints_report([Session("a", 10.0, said, heard)], RULE, 0.06)


def found(start, end, at, over=None, back=False):
    return Segment(start, end, at, over, back)


def counts(of):
    return {name: of[name] for name in ("found_once", "missed", "split", "merged", "extra")}


def test_each_phrase_once():
    of = report(found(1, 2.1, 2.6, 2.4), found(4.1, 5, 5.5, 5.2, True), found(7, 7.9, 8.6, 8.3))
    assert counts(of) == {"found_once": 3, "missed": 0, "split": 0, "merged": 0, "extra": 0}
    assert of["cut_off"] == {"count": 0, "of": 3, "percent": 0, "interval": None}
    assert of["final_delay_ms"]["p50"] == pytest.approx(600)
    assert of["speculative_delay_ms"]["max"] == pytest.approx(400)
    assert (of["taken_back"]["count"], of["taken_back"]["of"]) == (1, 3)
    assert of["end_error_ms"]["max"] == pytest.approx(100)
    assert (of["quiet_ms"], of["hesitant_ms"], of["lead_ms"]) == pytest.approx((660, 780, 180))


def test_a_phrase_that_is_cut_off_is_split_and_has_no_delay():
    of = report(found(1, 1.2, 1.7), found(1.6, 2, 2.6), found(4, 5, 5.5))
    assert counts(of) == {"found_once": 1, "missed": 1, "split": 1, "merged": 0, "extra": 0}
    assert (of["cut_off"]["count"], of["cut_off"]["of"]) == (1, 2)
    assert of["final_delay_ms"]["count"] == 1 and of["speculative_delay_ms"] is None
    assert of["taken_back"] == {"count": 0, "of": 0, "percent": None, "interval": None}


def test_two_phrases_in_one_segment_are_merged():
    of = report(found(1, 5, 5.6), found(5.5, 6.5, 6.9), found(7, 8, 8.6))
    assert counts(of) == {"found_once": 1, "missed": 0, "split": 0, "merged": 2, "extra": 1}


def test_of_nothing_there_is_nothing():
    of = report()
    assert counts(of) == {"found_once": 0, "missed": 3, "split": 0, "merged": 0, "extra": 0}
    assert of["cut_off"]["percent"] is None and of["end_error_ms"] is None


def test_intervals_are_over_recordings():
    good = [found(1, 2, 2.6), found(4, 5, 5.6), found(7, 8, 8.6)]
    bad = [found(1, 1.5, 1.9), found(4, 5, 5.6), found(7, 8, 8.6)]
    sessions = [Session(str(n), 10.0, SAID, bad if n % 2 else good) for n in range(8)]
    share = endpoints_report(sessions, RULE, 0.06)["cut_off"]
    assert share["percent"] == pytest.approx(100 / 6)
    low, high = share["interval"]
    assert 0 < low < 100 / 6 < high < 100 / 3


def test_segments_of_events():
    def event(kind, at, text="go", resets=False):
        spoken = SimpleNamespace(text=text, start=1.0, end=2.0)
        return Event(kind, 0, at, False, resets, spoken)

    told = [
        event(Kind.PARTIAL, 1.5),
        event(Kind.SPECULATIVE, 2.0),
        event(Kind.PARTIAL, 2.2, resets=True),
        event(Kind.SPECULATIVE, 2.4),
        event(Kind.FINAL, 2.6),
        event(Kind.PARTIAL, 3.0),
        event(Kind.FINAL, 4.0),
        event(Kind.SPECULATIVE, 5.0),
        event(Kind.FINAL, 5.5, text=""),
        event(Kind.FINAL, 6.0),
    ]
    assert segments(told) == [
        Segment(1.0, 2.0, 2.6, 2.0, True),
        Segment(1.0, 2.0, 4.0, None, False),
        Segment(1.0, 2.0, 6.0, None, False),
    ]
