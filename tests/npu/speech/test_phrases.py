"""The end of a phrase: what is run, where states are reset, the same for every chunking."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.speech.emission import Emission
from npu.speech.ends import EndRule
from npu.speech.gate import Gate, Lowest
from npu.speech.phrases import Greedily, Phrase, PhraseSearch

SCALE, ZERO_POINT = 0.02, -60
RULE = EndRule(
    quiet_calls=3,
    hesitant_calls=3,
    pause_calls=3,
    lead_calls=1,
    settled_calls=0,
    ended_calls=1,
    before_calls=1,
    blank_calls=6,
    unheard_calls=6,
    longest_calls=1000,
    floor_calls=8,
    peak_calls=16,
    tail_calls=4,
    recent_calls=16,
    faint_db=math.inf,
)
# The noise of the place and the loudest speech of the whole stream.
LONG = replace(RULE, floor_calls=1000, peak_calls=1000)
# Levels of whole calls, as int8: far under the mean, the mean of the training data, well above.
ZEROS, QUIET, LOUD = -128, -95, -20


def calls(*levels: int) -> np.ndarray:
    return np.array(levels, np.int8)[:, None, None] * np.ones((1, 2, 5), np.int8)


def decibels(heard: np.ndarray) -> np.ndarray:
    """Of such calls: one for each step of the features."""
    return heard[:, 0, 0].astype(np.float64)


class Script:
    """An engine that says the symbols of a script, by the number of the call since the reset."""

    def __init__(self, says: dict[int, list[int]]) -> None:
        self.says = says
        self.log: list[object] = []

    def reset(self) -> None:
        self.at = 0
        self.log.append("reset")

    def restart(self) -> None:
        self.at = 0
        self.log.append("restart")

    def accept_calls(self, features: np.ndarray) -> list[list[int]]:
        answers = []
        for call in features:
            self.log.append(int(call[0, 0]))
            answers.append(list(self.says.get(self.at, [])))
            self.at += 1
        return answers


def hear(features: np.ndarray, says: dict, cuts: list[int] | None = None, rule=RULE):
    engine = Script(says)
    search = PhraseSearch(Greedily(engine), rule, SCALE, ZERO_POINT)
    for chunk in np.split(features, sorted(cuts or [])):
        search.accept(chunk, decibels(chunk))
    was_open = search.is_open
    return search.close(), engine.log, search.calls, was_open


def test_silence_ends_a_phrase_and_is_not_run():
    heard = calls(QUIET, LOUD, LOUD, *[QUIET] * 5, -94, LOUD, LOUD, QUIET)
    phrases, log, run, is_open = hear(heard, {1: [4, 5]})
    assert phrases == [Phrase((4, 5), 1, 3, (1, 1)), Phrase((4, 5), 9, 11, (9, 9))]
    # Three quiet calls are run, the next two are not; the last quiet one leads the next phrase.
    first = ["reset", QUIET, LOUD, LOUD, QUIET, QUIET, QUIET]
    assert log == [*first, "restart", -94, LOUD, LOUD, QUIET]
    assert run == 10 and is_open


def test_just_enough_silence_ends_a_phrase():
    phrases, log, _, _ = hear(calls(LOUD, *[QUIET] * 3, LOUD), {0: [1]})
    assert log == ["reset", LOUD, QUIET, QUIET, QUIET, "restart", QUIET, LOUD]
    assert [p.tokens for p in phrases] == [(1,), (1,)]
    phrases, log, _, _ = hear(calls(LOUD, *[QUIET] * 2, LOUD), {0: [1]})
    assert "restart" not in log and len(phrases) == 1


def test_a_stream_without_sound_sleeps():
    phrases, log, run, is_open = hear(calls(*[ZEROS] * 50), {})
    assert phrases == [] and run == 3 and "restart" not in log and not is_open


def test_the_noise_of_the_place_is_quiet():
    noise = [-30, -31, -29]
    _, log, run, _ = hear(calls(*noise * 2, 40, 50, *noise * 2, 45), {})
    assert log.count("restart") == 2 and run == 4 + 3 + 3 + 2
    # The same loudness is sound where it was quieter just before, and where nothing came before.
    _, log, run, _ = hear(calls(QUIET, *noise * 2), {0: [1], 3: [1]})
    assert log.count("restart") == 0 and run == 7
    rule = replace(RULE, floor_calls=20)
    (stretch,) = Gate(rule, SCALE, ZERO_POINT).accept(calls(*[LOUD] * 6), np.zeros(6))
    assert stretch.loud.tolist() == [True] * 4 + [False] * 2


def test_without_a_symbol_a_phrase_ends_even_in_noise():
    loud = [LOUD, 40] * 10
    phrases, log, run, _ = hear(calls(*loud), {0: [1], 2: [2]}, rule=LONG)
    resets = [i for i, entry in enumerate(log) if entry == "restart"]
    assert resets == [10, 20] and run == 20
    assert phrases == [
        Phrase((1, 2), 0, 7, (0, 2)),
        Phrase((1, 2), 9, 16, (9, 11)),
        Phrase((1,), 18, 20, (18,)),
    ]


def test_without_a_rule_it_is_one_phrase():
    heard = calls(LOUD, *[ZEROS] * 30, LOUD)
    phrases, log, run, is_open = hear(heard, {0: [1], 31: [2]}, rule=None)
    assert run == 32 and log.count("restart") == 0 and not is_open
    assert phrases == [Phrase((1, 2), 0, 32, (0, 31))]


@given(
    levels=st.lists(st.sampled_from([ZEROS, QUIET, QUIET, QUIET, -30, LOUD]), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=20),
    says=st.dictionaries(st.integers(0, 12), st.lists(st.integers(1, 9), max_size=3)),
    faint=st.sampled_from([7.5, math.inf]),
)
def test_chunks_change_nothing(levels, cuts, says, faint):
    heard = calls(*levels) if levels else np.empty((0, 2, 5), np.int8)
    rule = replace(RULE, faint_db=faint)
    whole = hear(heard, says, rule=rule)
    assert hear(heard, says, cuts, rule) == whole
    assert hear(heard, says, list(range(len(levels))), rule) == whole


def test_what_is_far_fainter_than_a_phrase_before_is_none():
    """It is said LOUD; then 35 dB below within the rule's 16 calls, then later; then LOUD."""
    silence, faint = [ZEROS] * 5, [-55] * 4
    heard = calls(LOUD, LOUD, *silence, *faint, *silence, *[ZEROS] * 4, *faint, *silence, LOUD)
    rule = replace(RULE, faint_db=25)
    phrases, _, run, _ = hear(heard, {0: [1], 2: [2]}, rule=rule)
    assert [phrase.first_call for phrase in phrases] == [0, 19, 28]
    everything, _, whole, _ = hear(heard, {0: [1], 2: [2]})
    assert [phrase.first_call for phrase in everything] == [0, 6, 19, 28] and run == whole
    # What is no phrase is no measure for the next one either.
    further = calls(LOUD, *silence, *faint, *silence, *[-90] * 4)
    assert len(hear(further, {0: [1]}, rule=replace(rule, recent_calls=30))[0]) == 1


def test_the_loudest_of_the_phrases_before_counts():
    """LOUD, 20 dB below, and 30 below: none by the first of them, and one by the second alone."""
    silence = [ZEROS] * 4
    heard = calls(LOUD, *silence, LOUD - 20, *silence, LOUD - 30, *silence)
    assert len(hear(heard, {0: [1], 1: [2]}, rule=replace(RULE, faint_db=25))[0]) == 2
    heard = calls(LOUD - 20, *silence, LOUD - 30, *silence)
    assert len(hear(heard, {0: [1], 1: [2]}, rule=replace(RULE, faint_db=25))[0]) == 2


def test_what_follows_a_symbol_makes_no_phrase_louder():
    """Noise of which something was understood, and at once a phrase of which nothing is."""
    rule = replace(RULE, faint_db=25)
    heard = calls(LOUD, *[ZEROS] * 5, *[-55] * 5, LOUD, *[ZEROS] * 4)
    phrases, *_ = hear(heard, {0: [1], 1: [2]}, rule=rule)
    assert len(phrases) == 1
    phrases, *_ = hear(heard, {0: [1], 4: [2]}, rule=rule)
    assert len(phrases) == 2


def test_a_faint_phrase_is_not_taken_to_be_over():
    search = PhraseSearch(Greedily(Script({0: [1]})), replace(RULE, faint_db=25), SCALE, ZERO_POINT)
    over = []
    for call in calls(LOUD, *[ZEROS] * 5, -55, *[ZEROS] * 5, LOUD, *[ZEROS] * 2):
        search.accept(call[np.newaxis], decibels(call[np.newaxis]))
        over.append(search.is_nearly_over)
    assert [i for i, each in enumerate(over) if each] == [2, 3, 4, 5, 14]


@given(levels=st.lists(st.integers(-128, 127), max_size=80))
def test_every_loud_call_is_run_once_and_in_order(levels):
    gate = Gate(RULE, SCALE, ZERO_POINT)
    heard = calls(*levels) if levels else np.empty((0, 2, 5), np.int8)
    seen = []
    for stretch in gate.accept(heard, decibels(heard)):
        assert np.array_equal(stretch.features, heard[stretch.first :][: len(stretch.features)])
        seen += [stretch.first + int(i) for i in np.flatnonzero(stretch.loud)]
    assert seen == sorted(set(seen))
    floor = [min(levels[max(0, i - RULE.floor_calls + 1) : i + 1]) for i in range(len(levels))]
    clearly = [i for i, level in enumerate(levels) if level > max(-60, floor[i] + 16)]
    clearly += [i for i, level in enumerate(levels[:1]) if level > -60]
    assert set(clearly) <= set(seen)


@pytest.mark.parametrize("down", range(25, 65, 5))
def test_quiet_is_what_is_quiet_in_a_recording(down):
    """Speech of 1.3 above its noise, however far both are turned down."""
    speech = [0, -30, 5, -40, -20, -50, -50, 0]
    heard = calls(*(level - down for level in [-60] * 12 + speech + [-60] * 12 + speech))
    phrases, log, run, _ = hear(heard, {3: [1], 7: [2]}, rule=replace(RULE, blank_calls=20))
    assert [(p.first_call, p.end_call) for p in phrases] == [(12, 20), (32, 40)]
    assert [p.tokens for p in phrases] == [(1, 2), (1, 2)]
    assert log.count("restart") == 2 and run == 3 + (1 + 8 + 3) + (1 + 8)


def test_a_slammed_door_is_forgotten():
    quiet_speech = [-90, -122] * 20
    rule = replace(RULE, floor_calls=40)
    heard = calls(*[ZEROS] * 10, 120, *quiet_speech)
    (first, *rest) = Gate(rule, SCALE, ZERO_POINT).accept(heard, decibels(heard))
    loud = [stretch.first + int(i) for stretch in rest for i in np.flatnonzero(stretch.loud)]
    assert not first.loud.any() and loud[0] == 10
    # From the call that no longer has the door among its last ones.
    assert loud[1:] == list(range(27, 51, 2))


def test_a_phrase_ends_with_what_was_understood():
    """Sound without a symbol for longer than the tail, before the blanks end the phrase."""
    rule = replace(LONG, blank_calls=40)
    phrases, _, run, _ = hear(calls(ZEROS, *[LOUD, 40] * 15), {3: [1], 5: [2]}, rule=rule)
    assert phrases == [Phrase((1, 2), 1, 5 + 1 + rule.tail_calls, (3, 5))] and run == 31


@pytest.mark.parametrize("chunk", [1, 16])
def test_a_long_silence_takes_no_memory(chunk):
    gate = Gate(RULE, SCALE, ZERO_POINT)
    for _ in range(200):
        list(gate.accept(calls(*[QUIET] * chunk), np.zeros(chunk)))
    assert len(gate._loudness) <= RULE.floor_calls + RULE.peak_calls
    ((last, _),) = gate._before
    assert last.size == 10 and last.base is None


@given(values=st.lists(st.integers(-9, 9), max_size=40), count=st.integers(1, 12))
def test_the_lowest_of_the_last(values, count):
    lowest = Lowest(count)
    for i, value in enumerate(values):
        assert lowest.accept(value) == min(values[max(0, i + 1 - count) : i + 1])
        assert len(lowest) <= count


class Beams:
    """A beam whose best string after each call is told: symbols with their calls."""

    def __init__(self, says: list[list[tuple[int, int]]]) -> None:
        self._says, self._at = says, 0

    def reset(self) -> None:
        self._at = 0

    def restart(self) -> None:
        self.reset()

    @property
    def hypotheses(self):
        last = None
        for symbol, call in self._says[self._at - 1] if self._at else []:
            last = Emission(last, symbol, call)
        return [SimpleNamespace(emission=last)]

    @property
    def found(self):
        return []

    @property
    def beam(self):
        return self

    def accept_calls(self, features):
        assert len(features) == 1
        self._at += 1
        return [self.hypotheses[0].emission]


def phrase_of(levels, says):
    rule = replace(LONG, quiet_calls=99, blank_calls=99)
    search = PhraseSearch(Beams(says), rule, SCALE, ZERO_POINT)
    search.accept(calls(*levels), np.array(levels, np.float64))
    return search.close()


def test_what_becomes_likeliest_may_have_come_earlier():
    """Nothing was loud, and the best string's symbol came two calls ago."""
    says = [[], [], [], [(5, 1)]]
    assert phrase_of([QUIET] * 4, says) == [Phrase((5,), 1, 2, (1,))]
    # Loud only long behind it: a phrase ends behind its beginning.
    loud = [*[QUIET] * 12, LOUD]
    (phrase,) = phrase_of(loud, [*[[]] * 3, *[[(5, 1)]] * 10])
    assert (phrase.first_call, phrase.end_call) == (1, 2)


def test_what_becomes_likeliest_may_be_nothing():
    assert phrase_of([LOUD] * 3, [[], [(5, 1)], []]) == []


# --- several frames a call ------------------------------------------------------------------------
class Frames(Script):
    """A script of frames, of which every call gives three."""

    def accept_calls(self, features: np.ndarray) -> list[list[int]]:
        return [
            frame for call in features for frame in super(Frames, self).accept_calls([call] * 3)
        ]


def test_symbols_of_several_frames_stand_at_their_frames():
    """Phrases begin and end with the calls; each symbol has the frame that gave it."""
    heard = calls(QUIET, LOUD, LOUD, *[QUIET] * 5, -94, LOUD, LOUD, QUIET)
    wanted, _, run, _ = hear(heard, {1: [4, 5]})
    engine = Frames({4: [4], 5: [5]})
    search = PhraseSearch(Greedily(engine), RULE, SCALE, ZERO_POINT, frames_out=3)
    search.accept(heard, decibels(heard))
    found = search.close()
    assert [(p.tokens, p.first_call, p.end_call) for p in found] == [
        (p.tokens, p.first_call, p.end_call) for p in wanted
    ]
    assert [p.frames for p in found] == [(4, 5), (28, 29)] and search.calls == run


def test_one_by_one_or_together_frames_are_the_same():
    heard = calls(QUIET, LOUD, LOUD, *[QUIET] * 5, LOUD, LOUD, LOUD)
    sides = []
    for size in (1, 4, len(heard)):
        search = PhraseSearch(
            Greedily(Frames({2: [1], 7: [2], 11: [3]})), RULE, SCALE, ZERO_POINT, frames_out=3
        )
        for at in range(0, len(heard), size):
            search.accept(heard[at : at + size], decibels(heard[at : at + size]))
        sides.append(search.close())
    assert sides[0] == sides[1] == sides[2] and sides[0]
