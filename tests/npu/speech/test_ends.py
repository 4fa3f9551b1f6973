"""Durations to calls, and the rules that end a phrase: silence, pauses, blanks, length."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.speech.ends import COMMANDS, Ending, EndRule
from npu.speech.gate import Gate
from npu.speech.phrases import Greedily, Phrase, PhraseSearch
from tests.npu.speech.test_phrases import (
    LONG,
    LOUD,
    QUIET,
    RULE,
    SCALE,
    ZERO_POINT,
    Script,
    calls,
    decibels,
    hear,
)


def test_durations_become_calls():
    rule = EndRule(
        quiet_calls=11,
        hesitant_calls=13,
        pause_calls=2,
        lead_calls=3,
        settled_calls=2,
        ended_calls=5,
        before_calls=5,
        blank_calls=20,
        unheard_calls=40,
        longest_calls=333,
        floor_calls=83,
        peak_calls=167,
        tail_calls=6,
        recent_calls=333,
        faint_db=11,
    )
    assert COMMANDS.rule(0.06) == rule
    assert Ending(0.001).rule(0.06) == replace(rule, quiet_calls=1, hesitant_calls=2)
    assert Ending(0.5, hesitant=0, lead=0, longest=0.01, ended=0).rule(0.06) == replace(
        rule, quiet_calls=8, hesitant_calls=8, lead_calls=0, longest_calls=1, ended_calls=0
    )
    long = replace(rule, quiet_calls=50, hesitant_calls=52, blank_calls=52, unheard_calls=52)
    assert Ending(3).rule(0.06) == Ending(3).rule(0.06, wanted=0.84) == long
    assert COMMANDS.rule(0.06, 0.84) == replace(rule, quiet_calls=14, hesitant_calls=16)


@pytest.mark.parametrize(
    "wrong", [{"silence": 0}, {"longest": float("inf")}, {"lead": -1}, {"ended": -1}]
)
def test_durations_that_are_none(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must be"):
        Ending(**wrong)


# As LONG, with pauses of two calls.
PAUSES = replace(LONG, pause_calls=2)


def test_whoever_pauses_is_given_more_time():
    rule = replace(PAUSES, hesitant_calls=5, blank_calls=99, unheard_calls=99)
    paused = calls(QUIET, LOUD, QUIET, QUIET, LOUD, *[QUIET] * 4, LOUD, *[QUIET] * 5, LOUD)
    phrases, log, _, _ = hear(paused, {0: [1]}, rule=rule)
    # Four quiet calls do not end it, five do; the next one has not paused yet.
    assert log.count("restart") == 1 and len(phrases) == 2
    phrases, log, _, _ = hear(
        calls(QUIET, LOUD, QUIET, LOUD, *[QUIET] * 3, LOUD), {0: [1]}, rule=rule
    )
    assert log.count("restart") == 1
    # The silence before a phrase is no pause in it.
    _, log, _, _ = hear(calls(QUIET, QUIET, LOUD, *[QUIET] * 3, LOUD), {0: [1]}, rule=rule)
    assert log.count("restart") == 1


def test_some_silence_is_run_before_a_phrase():
    rule = replace(RULE, before_calls=3)
    quiet = [QUIET - n for n in range(7)]
    phrases, log, run, _ = hear(calls(LOUD, *quiet, LOUD), {0: [1], 3: [2]}, rule=rule)
    assert log[log.index("restart") + 1 :] == [*quiet[-3:], LOUD]
    assert phrases[1] == Phrase((1, 2), 5, 9, (5, 8)) and run == 4 + 4
    # No more than there was, and no sound of the phrase before.
    _, log, _, _ = hear(calls(LOUD, *quiet[:3], LOUD), {0: [1]}, rule=replace(rule, before_calls=9))
    assert log[log.index("restart") + 1 :] == [*quiet[:3], LOUD]


def test_silence_before_a_phrase_is_run_when_that_has_come():
    rule = replace(RULE, before_calls=3)
    came: list[int] = []
    search = PhraseSearch(Greedily(Script({0: [1]})), rule, SCALE, ZERO_POINT, came.append)
    heard = calls(LOUD, *[QUIET] * 7, LOUD, LOUD)
    search.accept(heard, decibels(heard))
    assert came == [0, 1, 2, 3, 8, 8, 8, 8, 9]


def test_before_the_first_symbol_there_is_more_time():
    loud = calls(*[LOUD, 40] * 10)
    rule = replace(LONG, unheard_calls=12)
    _, log, _, _ = hear(loud, {8: [1]}, rule=rule)
    # Unheard for 8 calls, and 6 without a symbol behind it; then 5 of the next.
    assert log.index("restart") == 1 + 8 + 1 + 6
    _, log, _, _ = hear(loud, {}, rule=rule)
    assert log.index("restart") == 1 + 12


def test_a_phrase_is_no_longer_than_that():
    loud = calls(*[LOUD, 40] * 6)
    says = {n: [n + 1] for n in range(12)}
    phrases, _, _, _ = hear(loud, says, rule=replace(LONG, longest_calls=5))
    assert [phrase.tokens for phrase in phrases] == [(1, 2, 3, 4, 5), (1, 2, 3, 4, 5), (1, 2)]


def nearly(levels, says, rule, end=None):
    """Whether a phrase is taken to be over, and whether it has ended, after each call."""
    search = PhraseSearch(Greedily(Script(says)), rule, SCALE, ZERO_POINT, end=end)
    found = []
    for call in calls(*levels):
        search.accept(call[np.newaxis], np.zeros(1))
        found.append((search.is_nearly_over, search.has_ended))
    return found


NO, OVER, ENDED = (False, False), (True, False), (True, True)


def test_a_phrase_is_taken_to_be_over_before_it_ends():
    rule = replace(PAUSES, quiet_calls=4, hesitant_calls=6, lead_calls=2, blank_calls=99)
    quiet = [QUIET] * 4
    assert nearly([LOUD, *quiet], {0: [1]}, rule) == [NO, NO, OVER, OVER, ENDED]
    # Behind a pause later, and not at all where nothing was understood, or with no lead.
    paused = [QUIET, LOUD, QUIET, QUIET, LOUD, *quiet, QUIET, QUIET]
    found = nearly(paused, {0: [1]}, rule)
    assert found == [NO, NO, NO, OVER, NO, NO, NO, NO, OVER, OVER, ENDED]
    assert nearly([LOUD, *quiet], {}, rule) == [*[NO] * 4, (False, True)]
    assert nearly([LOUD, *quiet], {0: [1]}, replace(rule, lead_calls=0)) == [*[NO] * 4, ENDED]


def test_it_is_not_taken_to_be_over_while_symbols_come():
    rule = replace(RULE, quiet_calls=4, hesitant_calls=4, lead_calls=3, settled_calls=2)
    found = nearly([LOUD, *[QUIET] * 4], {0: [1], 1: [2]}, rule)
    assert found == [NO, NO, NO, OVER, ENDED]


def test_a_long_lead_tells_nothing_while_symbols_come():
    rule = replace(LONG, lead_calls=6, settled_calls=2)
    assert nearly([LOUD, 40] * 4, {n: [1] for n in range(8)}, rule) == [NO] * 8


def test_no_symbol_is_waited_for_no_shorter_than_silence():
    for silence in (1.0, 1.14, 3):
        rule = Ending(silence).rule(0.06)
        assert rule.blank_calls >= rule.hesitant_calls


def test_the_end_does_not_depend_on_where_a_phrase_lies():
    """The first symbol comes in the silence that is run before a phrase."""
    rule = replace(RULE, pause_calls=2, tail_calls=6)
    one = [QUIET, LOUD, LOUD, LOUD, *[QUIET] * 5]
    found = hear(calls(*one, *one, LOUD), {0: [1]}, rule=rule)[0]
    assert [each.end_call - each.first_call for each in found[:2]] == [4, 4]


def test_in_noise_calls_without_a_symbol_say_so():
    rule = replace(LONG, lead_calls=2)
    found = nearly([LOUD, 40] * 4, {0: [1]}, rule)
    assert found[:7] == [NO, NO, NO, NO, OVER, OVER, ENDED]


def test_a_call_that_was_full_is_not_blank():
    """Where the cap of symbols ends a call, it gave symbols: no trailing blank."""
    rule = replace(LONG, blank_calls=3, unheard_calls=3, lead_calls=1)
    full = {n: [1, 2, 3] for n in range(6)}
    assert nearly([LOUD, 40] * 3, full, rule) == [NO] * 6


def test_the_sound_of_the_last_symbol_ends_the_phrase():
    """A knock behind it, that gives no symbol, is none of its sound."""
    rule = replace(
        PAUSES, quiet_calls=9, hesitant_calls=9, blank_calls=30, unheard_calls=30, tail_calls=20
    )
    levels = [QUIET, LOUD, QUIET, LOUD, QUIET, QUIET, LOUD, LOUD, *[QUIET] * 9]
    (phrase,) = hear(calls(*levels), {4: [1]}, rule=rule)[0]
    assert (phrase.first_call, phrase.end_call) == (1, 4)
    # A symbol amid a sound: that sound is its own, also behind a short stop.
    (phrase,) = hear(calls(*levels), {1: [1]}, rule=rule)[0]
    assert phrase.end_call == 4
    (phrase,) = hear(calls(*levels), {4: [1], 9: [2]}, rule=rule)[0]
    assert phrase.end_call == 8


@given(
    cuts=st.lists(st.integers(0, 40), max_size=6),
    says=st.dictionaries(st.integers(0, 30), st.just([1]), max_size=3),
)
def test_in_noise_chunks_change_nothing(cuts, says):
    """A first symbol amid a chunk brings the end nearer."""
    rule = replace(LONG, unheard_calls=15, longest_calls=25)
    heard = calls(*[LOUD, 40] * 20)
    assert hear(heard, says, cuts, rule) == hear(heard, says, list(range(40)), rule)


@given(
    levels=st.lists(st.sampled_from([QUIET, QUIET, QUIET, -30, LOUD]), max_size=60),
    rule=st.builds(
        lambda quiet, more, pause, before: replace(
            RULE,
            quiet_calls=quiet,
            hesitant_calls=quiet + more,
            pause_calls=pause,
            before_calls=before,
        ),
        st.integers(1, 5),
        st.integers(0, 4),
        st.integers(1, 3),
        st.integers(1, 6),
    ),
    cuts=st.lists(st.integers(0, 60), max_size=20),
)
def test_chunks_change_nothing_by_any_rule(levels, rule, cuts):
    heard = calls(*levels) if levels else np.empty((0, 2, 5), np.int8)
    says = {0: [1], 3: [2]}
    assert hear(heard, says, cuts, rule) == hear(heard, says, list(range(len(levels))), rule)
    # Every loud call is run once, in order; what was before it, no earlier than the last one.
    seen = []
    for stretch in Gate(rule, SCALE, ZERO_POINT).accept(heard, decibels(heard)):
        assert np.array_equal(stretch.features, heard[stretch.first :][: len(stretch.features)])
        seen += [stretch.first + int(i) for i in np.flatnonzero(stretch.loud)]
    assert seen == sorted(set(seen))


END = 9


def test_a_model_tells_that_a_phrase_has_ended():
    rule = replace(LONG, quiet_calls=7, hesitant_calls=7, blank_calls=99, ended_calls=2)
    loud = [LOUD] * 3
    says = {0: [1], 1: [END]}
    # It is taken to be over as the symbol comes, and ends two calls later where it is quiet.
    assert nearly([*loud, QUIET], says, rule, END) == [NO, OVER, OVER, ENDED]
    # Where it is loud a word may have begun: twice as long.
    assert nearly([*loud, *loud], says, rule, END) == [NO, *[OVER] * 4, ENDED]
    assert nearly([*loud, LOUD, QUIET], says, rule, END) == [NO, *[OVER] * 3, ENDED]
    assert nearly([*loud, LOUD], says, replace(rule, ended_calls=0), END)[1] == ENDED
    # To a model without such a symbol it is one like others; and where more comes, it is no end.
    assert nearly([*loud, QUIET], says, rule) == [NO] * 4
    found = nearly([*loud, QUIET, QUIET], says | {2: [2]}, rule, END)
    assert found == [NO, OVER, NO, NO, NO]


def test_what_follows_such_an_end_is_the_next_phrase():
    rule = replace(LONG, quiet_calls=7, hesitant_calls=7, blank_calls=99, before_calls=2)
    levels = calls(QUIET, LOUD, QUIET, QUIET, QUIET, QUIET, LOUD, QUIET)
    engine = Script({1: [1], 2: [2, END]})
    search = PhraseSearch(Greedily(engine), rule, SCALE, ZERO_POINT, end=END)
    search.accept(levels, decibels(levels))
    # Calls 4 and 5 are not run before something sounds, then as what comes before a phrase.
    at = engine.log.index("restart")
    assert engine.log[1:at] == [QUIET, LOUD, QUIET, QUIET]
    assert engine.log[at + 1 :] == [QUIET, QUIET, LOUD, QUIET]
    first, second = search.close()
    # The sound ends where the last symbol that is spelt says.
    assert first == Phrase((1, 2, END), 1, 2, (1, 2, 2))
    assert second.tokens == (1, 2, END) and second.first_call == 5


@given(st.lists(st.sampled_from([QUIET, LOUD]), min_size=1, max_size=40), st.data())
def test_such_ends_are_the_same_however_a_stream_is_cut(levels, data):
    says = data.draw(
        st.dictionaries(
            st.integers(0, 40), st.lists(st.sampled_from([1, END]), min_size=1, max_size=2)
        )
    )
    cuts = data.draw(st.lists(st.integers(0, len(levels)), max_size=4))
    found = []
    for chunks in ([calls(*levels)], np.split(calls(*levels), sorted(cuts))):
        engine = Script(says)
        search = PhraseSearch(Greedily(engine), PAUSES, SCALE, ZERO_POINT, end=END)
        for chunk in chunks:
            search.accept(chunk, decibels(chunk))
        found.append((search.close(), engine.log, search.calls))
    assert found[0] == found[1]
