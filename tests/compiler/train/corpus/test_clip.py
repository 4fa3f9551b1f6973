"""Clips that are put together, and the times of their words."""

import itertools

import numpy as np
import pytest

from compiler.train.corpus.clip import put_together
from compiler.train.corpus.engines import Request, Spoken
from compiler.train.corpus.engines.speech import RATE_HZ, at_rate, by_letters, from_ends, sounding
from compiler.train.corpus.plan import Plan
from tests.compiler.train.corpus.recipes import tiny


def tone(seconds, silence=0.1, peak=8000) -> Spoken:
    quiet = np.zeros(round(silence * RATE_HZ), np.int16)
    wave = peak * np.cos(np.arange(round(seconds * RATE_HZ)))
    samples = np.concatenate([quiet, wave.astype(np.int16), quiet])
    return Spoken(samples, ((silence, silence + seconds),))


def plan(texts, spliced=True, seed=3) -> Plan:
    requests = tuple(("espeak", Request(text, "en")) for text in texts)
    return Plan(" ".join(texts), "words", "espeak", "f1", requests, spliced, seed)


def test_words_are_where_they_sound():
    corpus = tiny(spliced_gap_s=(0.2, 0.4), word_level_db=(-4.0, 0.0)).corpus
    lengths = (0.2, 0.35, 0.15)
    clip = put_together(plan(["a", "b", "c"]), [tone(n) for n in lengths], corpus)
    loud = np.abs(clip.samples.astype(int))
    edges = [edge for word in clip.words for edge in word]
    assert edges == sorted(edges)
    assert edges[0] >= corpus.lead_s[0]
    assert edges[-1] <= len(clip.samples) / RATE_HZ - corpus.tail_s[0] + 0.01
    for (begin, end), length in zip(clip.words, lengths, strict=True):
        assert end - begin == pytest.approx(length, abs=1e-3)
        inside = loud[round(begin * RATE_HZ) : round(end * RATE_HZ)]
        assert 8000 * 10 ** (-4.1 / 20) <= inside.max() <= 8000
    for (_, end), (begin, _) in itertools.pairwise(clip.words):
        assert 0.2 <= begin - end <= 0.43
        assert not loud[round(end * RATE_HZ) + 2 : round(begin * RATE_HZ) - 2].any()


def test_the_seed_decides():
    one, same, other = (
        put_together(plan(["a", "b"], seed=seed), [tone(0.2)] * 2, tiny().corpus)
        for seed in (3, 3, 4)
    )
    assert np.array_equal(one.samples, same.samples)
    assert one.words == same.words != other.words


def test_a_louder_word_does_not_wrap():
    corpus = tiny(word_level_db=(12.0, 12.0)).corpus
    spoken = tone(0.2, peak=30_000)
    clip = put_together(plan(["a"]), [spoken], corpus)
    begin = round(clip.words[0][0] * RATE_HZ)
    was = spoken.samples[1600 : 1600 + 3000]
    assert np.array_equal(np.sign(clip.samples[begin : begin + 3000]), np.sign(was))
    assert clip.samples.max() == 32767


def test_a_whole_sentence_keeps_its_level():
    clip = put_together(plan(["a"], spliced=False), [tone(0.2)], tiny().corpus)
    assert clip.samples.max() == 8000


def test_sounding_and_silence():
    assert sounding(tone(0.2).samples) == pytest.approx((0.1, 0.3), abs=1e-3)
    assert sounding(np.zeros(1600, np.int16)) == (0.0, 0.1)


def test_ends_that_fit_no_text_give_words_by_letters():
    samples = tone(0.4).samples
    assert from_ends([0.2], "aa bbb", samples) == by_letters("aa bbb", *sounding(samples))
    assert np.allclose(by_letters("aa bbbb", 0.0, 0.8), [(0.0, 0.3), (0.3, 0.8)])
    assert from_ends([0.2, 9.0], "aa bbb", samples)[1] == pytest.approx((0.2, 0.5), abs=1e-3)


def test_at_rate_keeps_the_seconds_and_the_pitch():
    at_24k = (8000 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)).astype(np.int16)
    changed = at_rate(at_24k, 24_000)
    assert changed.dtype == np.int16
    assert abs(len(changed) - RATE_HZ) <= 1
    assert abs(int(np.abs(np.fft.rfft(changed, RATE_HZ)).argmax()) - 440) <= 1
