"""Silence behind a clip, pauses in it, and where its end may be told."""

import numpy as np
import pytest

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.engines.speech import RATE_HZ
from compiler.train.corpus.store import write_shard
from compiler.train.recipe import Ended
from compiler.train.sound.batches import Listener
from compiler.train.sound.ended import window_of_end, with_end
from compiler.train.sound.features import MEL, end_of_calls
from compiler.train.symbols import END, text_of
from tests.compiler.train.corpus.recipes import tiny

WORDS = ((0.1, 0.4), (0.5, 0.9), (0.9, 1.2))


def clip(words=WORDS):
    """Each word is as loud as its number."""
    samples = np.zeros(round(1.3 * RATE_HZ), np.int16)
    for n, (begin, end) in enumerate(words):
        samples[round(begin * RATE_HZ) : round(end * RATE_HZ)] = 1000 * (n + 1)
    return Clip(samples, " ".join("abc"[: len(words)]), "flite", "kal", words)


def ended(paused=1.0, tail_s=(0.5, 0.5), pause_s=(0.3, 0.6), hesitant_kinds=None):
    return Ended(
        window_s=(0.1, 0.4),
        hesitant_window_s=(0.5, 0.8),
        hesitant_s=0.2,
        hesitant_kinds=hesitant_kinds,
        tail_s=tail_s,
        paused=paused,
        pause_s=pause_s,
    )


def test_words_are_where_their_times_say():
    places = set()
    for seed in range(40):
        made = with_end(clip(), ended(), np.random.default_rng(seed))
        gaps = np.diff(np.array(made.words).ravel())[1::2]
        (place,) = np.flatnonzero(gaps > 0.25)
        places.add(int(place))
        assert 0.3 <= gaps[place] - (0.1, 0.0)[place] <= 0.6
        for n, (begin, end) in enumerate(made.words):
            inside = made.samples[round(begin * RATE_HZ) + 100 : round(end * RATE_HZ) - 100]
            assert (inside == 1000 * (n + 1)).all()
        assert not made.samples[-round(0.6 * RATE_HZ) :].any()
    assert places == {0, 1}


def test_what_is_left_alone():
    whole = with_end(clip(), ended(paused=0.0), np.random.default_rng(1))
    assert whole.words == WORDS
    np.testing.assert_array_equal(whole.samples[: len(clip().samples)], clip().samples)
    one = with_end(clip(WORDS[:1]), ended(), np.random.default_rng(1))
    assert one.words == WORDS[:1] and len(one.samples) == round(1.8 * RATE_HZ)


def test_pauses_have_no_clicks():
    # The third word begins where the second ends: a pause there lies in the midst of sound.
    draws = (with_end(clip(), ended(), np.random.default_rng(seed)) for seed in range(20))
    made = next(each for each in draws if each.words[2][0] > each.words[1][1])
    for _, end in made.words[1:2]:
        near = made.samples[round(end * RATE_HZ) - 200 : round(end * RATE_HZ) + 200]
        assert near[0] == 2000 and near[-1] == 0 and np.abs(np.diff(near)).max() <= 30


def test_who_may_go_on_is_given_more_time():
    assert window_of_end(clip(), ended()) == (0.1, 0.4)
    assert window_of_end(clip(WORDS[:1]), ended()) == (0.5, 0.8)
    assert window_of_end(clip(((0.1, 0.4), (0.61, 0.9))), ended()) == (0.5, 0.8)
    paused = with_end(clip(), ended(), np.random.default_rng(1))
    assert window_of_end(paused, ended()) == (0.5, 0.8)
    kind = clip().kind
    assert window_of_end(clip(), ended(hesitant_kinds=[kind])) == (0.5, 0.8)
    assert window_of_end(clip(), ended(hesitant_kinds=[f"no {kind}"])) == (0.1, 0.4)


@pytest.fixture(params=[0.0, 1.0])
def listener(request, tmp_path):
    recipe = tiny()
    lessons = ended(request.param, tail_s=(0.9, 0.9))
    sound = recipe.sound.model_copy(update={"ended": lessons, "nothing": 0.0})
    learning = recipe.learning.model_copy(update={"batch": 4})
    recipe = recipe.model_copy(update={"sound": sound, "learning": learning})
    silent = Clip(np.zeros(20_000, np.int16), "", "flite", "kal", ())
    write_shard(tmp_path, "train", 0, [clip(), silent, clip(), clip()])
    return Listener(tmp_path, "train", recipe, (-9.0,) * MEL.bins, (2.0,) * MEL.bins)


def test_the_end_comes_behind_the_last_word(listener):
    paused = listener.recipe.sound.ended.paused
    batch = listener.batch(0)  # before the ramp: times are the clip's
    for n, count in enumerate(batch.counts):
        if not count:
            continue
        symbols = batch.symbols[n, :count]
        assert symbols[-1] == END and END not in symbols[:-1] and text_of(symbols) == "a b c "
        assert batch.first[n, count - 1] >= batch.first[n, count - 2]
        heard = end_of_calls(batch.lengths[n] // 2)
        early, late = heard[batch.first[n, count - 1]], heard[batch.last[n, count - 1]]
        # The last word ends 1.0 s before the clip does, as the tail is 0.9 s.
        said, window = heard[-1] - 1.0, (0.5, 0.8) if paused else (0.1, 0.4)
        assert said + window[0] - 0.1 < early < said + window[0] + 0.2
        assert early + 0.2 < late < said + window[1] + 0.1
    assert sorted(batch.counts)[0] == 0, "where nothing is said nothing ends"
