"""News of phrases: told as over, taken back where more comes, once more when they end."""

import pytest

from npu.speech.listen import Listening
from npu.speech.nbest import Alternative
from npu.speech.stream import Spoken


class Told:
    """A stream whose every call is written down: text, whether it is taken to be over, or over."""

    def __init__(self, *calls: tuple[str, str], alternatives: list[Alternative] | None = None):
        self._calls, self._at = calls, -1
        self._alternatives = alternatives or []
        self.seconds = 0.0

    def accept_waveform(self, rate_hz, samples):
        self.seconds += len(samples) / rate_hz

    def input_finished(self):
        pass

    @property
    def is_ready(self):
        return self._at + 1 < len(self._calls)

    def decode(self):
        self._at += 1

    def reset(self):
        pass

    @property
    def result(self):
        text = self._calls[self._at][0]
        tokens = [ord(letter) for letter in text]
        return Spoken(text, tokens, 0.0, 1.0, [], [], self._alternatives)

    @property
    def tokens(self):
        return self.result.tokens

    @property
    def is_speculative_endpoint(self):
        return self._calls[self._at][1] != ""

    @property
    def is_endpoint(self):
        return self._calls[self._at][1] == "ended"


def events_of(*calls):
    listening = Listening(Told(*calls))
    found = list(listening.accept(10, [0.0] * 10))
    return [(event.kind.value, event.spoken.text, event.revises, event.resets) for event in found]


OVER, ENDED = "over", "ended"


def test_a_phrase_is_told_as_over_once_and_ends():
    calls = [("go", ""), ("go up", ""), ("go up", OVER), ("go up", OVER), ("go up", ENDED)]
    assert events_of(*calls) == [
        ("partial", "go", False, False),
        ("partial", "go up", False, False),
        ("speculative", "go up", False, False),
        ("final", "go up", False, False),
    ]


def test_what_was_told_as_over_is_taken_back_once():
    calls = [("go", OVER), ("go", ""), ("go up", ""), ("go up now", OVER), ("go up now", ENDED)]
    assert events_of(*calls) == [
        ("speculative", "go", False, False),
        ("partial", "go up", False, True),
        ("speculative", "go up now", False, False),
        ("final", "go up now", False, False),
    ]


def test_the_end_itself_may_take_it_back():
    assert events_of(("go up", OVER), ("go off", ENDED)) == [
        ("speculative", "go up", False, False),
        ("final", "go off", True, True),
    ]


def test_of_what_was_not_understood_nothing_is_told_as_over():
    assert events_of(("", OVER), ("", ENDED)) == []


def test_the_likeliest_text_may_be_another_than_that_of_the_best_string():
    """Strings of one text add up, once a phrase is taken to be over: that takes nothing back."""

    class Merged(Told):
        @property
        def tokens(self):
            return [1, 2, 3]

    stream = Merged(("go on", OVER), ("go on", OVER), ("go on", ENDED))
    found = Listening(stream).accept(10, [0.0])
    told = [(event.kind.value, event.resets) for event in found]
    assert told == [("speculative", False), ("final", False)]


@pytest.mark.parametrize(("least", "kinds"), [(-2.0, ["speculative", "final"]), (-0.5, [])])
def test_what_is_too_unlikely_is_not_told_as_over(least, kinds):
    stream = Told(("go", OVER), ("go", ENDED), alternatives=[Alternative("go", -1.0, 0.0, 1.0)])
    found = Listening(stream, least).accept(10, [0.0])
    assert [event.kind.value for event in found] == kinds
