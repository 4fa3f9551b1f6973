"""Error rates, delays and rejection of a set, against figures worked out by hand."""

from pathlib import Path

import pytest

from npu.analysis.evaluation import NOT_NAMED, evaluate_report, score
from npu.analysis.evaluation_results import EvaluateReport
from npu.analysis.hearing import Hearing
from npu.analysis.trn import trn
from npu.speech.spoken_sets import Utterance
from npu.text import json_text
from tests.schemas import holds


def said(line, text, recording=None, speaker=None, ends=None) -> Utterance:
    name = f"{line}.wav"
    return Utterance(line, name, Path(name), tuple(text.split()), speaker, recording or name, ends)


def heard(text, seconds=2.0, emitted=None, phrases=None, notes=()) -> Hearing:
    return Hearing(tuple(text.split()), seconds, emitted, phrases, notes)


def report_of(utterances, *models) -> EvaluateReport:
    scored = {f"m{n}": score(utterances, each) for n, each in enumerate(models)}
    report = evaluate_report("set", scored, "kernels", 0.6)
    holds(json_text(report), EvaluateReport)
    return report


def test_errors_are_counted_over_all_words():
    utterances = [said(1, "a b c", speaker="x"), said(2, "d", speaker="y"), said(3, "e f")]
    answers = [heard("a c"), heard("d z"), heard("e g")]
    (model,) = report_of(utterances, answers)["models"]
    of = model["speech"]
    assert [of[key] for key in ("hits", "substitutions", "deletions", "insertions")] == [4, 1, 1, 1]
    assert (of["words"], of["errors"], of["wrong_utterances"]) == (6, 3, 3)
    assert of["word_errors"]["percent"] == 50 and of["sentence_errors"]["percent"] == 100
    assert of["sentence_errors"]["interval"] == (100, 100)
    low, high = of["word_errors"]["interval"]
    # The utterance of one word may be drawn three times, or that of three.
    assert 100 / 3 <= low < 50 < high <= 100
    assert set(model["speakers"]) == {"x", "y", NOT_NAMED}
    assert model["speakers"]["y"]["word_errors"] == {"percent": 100, "interval": None}
    assert model["confusions"][0] == {"said": None, "heard": "z", "count": 1}
    assert model["utterances"][0]["pairs"] == [("a", "a"), ("b", None), ("c", "c")]


def test_what_comes_of_one_recording_is_drawn_together():
    """20 utterances of 2 recordings, all errors in one: a draw is 0, 50 or 100 %."""
    utterances = [said(n, "a", recording=f"tape {n % 2}") for n in range(20)]
    answers = [heard("a" if n % 2 else "b") for n in range(20)]
    together = report_of(utterances, answers)["models"][0]["speech"]
    assert together["recordings"] == 2 and together["word_errors"]["interval"] == (0, 100)
    alone = report_of([said(n, "a") for n in range(20)], answers)["models"][0]["speech"]
    assert alone["recordings"] == 20
    low, high = alone["word_errors"]["interval"]
    assert 25 <= low <= 35 and 65 <= high <= 75
    one = [said(n, "a", recording="tape") for n in range(20)]
    assert report_of(one, answers)["models"][0]["speech"]["word_errors"]["interval"] is None


def test_two_models_are_compared_on_the_same_draws():
    """Both fail on the same half; one on a word more of every other utterance."""
    utterances = [said(n, "a b c d") for n in range(40)]
    first = [heard("z z z d" if n % 2 else "a b c d") for n in range(40)]
    second = [heard("z z z z" if n % 2 else "a b c d") for n in range(40)]
    report = report_of(utterances, first, second)
    difference = report["difference"]
    assert difference["points"] == -12.5
    low, high = difference["interval"]
    assert -18 < low < -12.5 < high < -7
    # The two intervals overlap, and yet the first model is better.
    a, b = (model["speech"]["word_errors"]["interval"] for model in report["models"])
    assert a[1] > b[0] and difference["first_better"] > 0.999
    same = report_of(utterances, first, first)["difference"]
    assert same == {"points": 0, "interval": (0, 0), "first_better": 0, "equal": 1}
    one = report_of(utterances[:1], first[:1], second[1:2])["difference"]
    assert one == {"points": -100, "interval": None, "first_better": 1, "equal": 0}


def test_delays_are_of_words_that_were_right():
    utterances = [said(1, "a b c", ends=(0.5, 1.0, 1.5)), said(2, "d")]
    answers = [heard("x b y c", emitted=(0.3, 1.1, 1.4, 1.9)), heard("d")]
    (model,) = report_of(utterances, answers)["models"]
    # a as x, b, y added, c.
    assert model["utterances"][0]["delays_ms"] == [
        None,
        pytest.approx(100),
        None,
        pytest.approx(400),
    ]
    assert model["delay"] == {
        "words": 2,
        "p50_ms": pytest.approx(250),
        "p95_ms": pytest.approx(385),
    }
    assert "delays_ms" not in model["utterances"][1]
    nothing = report_of(utterances[:1], [heard("", emitted=())])["models"][0]
    assert "delay" not in nothing


def test_sounds_without_words_are_no_part_of_the_word_errors():
    utterances = [said(1, "a"), said(2, ""), said(3, "")]
    answers = [
        heard("a"),
        heard("b c", seconds=1800, phrases=1),
        heard("", seconds=5400, phrases=0),
    ]
    (model,) = report_of(utterances, answers)["models"]
    assert model["speech"]["word_errors"]["percent"] == 0
    quiet = model["rejection"]
    assert (quiet["hours"], quiet["phrases_per_hour"], quiet["words_per_hour"]) == (2, 0.5, 1)
    assert quiet["phrases_interval"] == pytest.approx((0.0253 / 2, 5.572 / 2), rel=1e-2)
    assert model["confusions"] == []


def test_a_set_without_any_word_has_no_error_rate():
    report = report_of([said(1, "")], [heard("", phrases=0)], [heard("a", phrases=1)])
    assert "difference" not in report
    assert all("speech" not in model for model in report["models"])
    assert report["models"][0]["rejection"]["phrases_interval"][0] == 0


def test_a_trn_has_words_and_then_who_says_them():
    texts = trn([said(3, "", speaker="en+f 4"), said(12, "")], [("a/b", "c"), ()])
    assert texts == b"a%2fb c (enf4-000003)\n(speaker-000012)\n"
