"""Equal largest logits, beside a plain count with numpy over all that a joiner gave."""

import numpy as np

from compiler import load_model
from compiler.reference import beam_of, search_of, speech_of
from npu.analysis.hearing import Ear, hear
from npu.analysis.ties import TieCount, Ties
from npu.model.recording import Recording
from npu.speech.beam import BeamRules
from npu.speech.spoken_sets import read_set
from npu.zoo import utterance_set

MODEL = "commands_rnnt"


def plain(logits, blank):
    """Of all rows at once, by sorting them."""
    array = np.array(logits, np.int8)
    ranked = np.sort(array, axis=1)
    equal = ranked[:, -1] == ranked[:, -2]
    return TieCount(
        len(array), int(equal.sum()), int((equal & (array[:, blank] == ranked[:, -1])).sum())
    )


def test_what_counts():
    ties = Ties(0)
    for logits in ([3, 3, 1], [1, 3, 3], [3, 3, 3], [3, 2, 2], [-128, -128, -128], [2, 1, 2]):
        ties.add("logits", np.array(logits, np.int8))
    ties.add("encoder_out", np.array([5, 5], np.int8))
    assert ties.count == TieCount(6, 5, 4)
    ties.clear()
    assert ties.count == TieCount()


def test_as_often_as_numpy_counts_them():
    """Many small integers, of which most rows have equal ones."""
    ties, rng = Ties(7), np.random.default_rng(5)
    logits = rng.integers(-5, 6, (5_000, 20)).astype(np.int8)
    for row in logits:
        ties.add("logits", row)
    assert ties.count == plain(logits, 7)
    assert ties.count.equal > 3_000 and 0 < ties.count.with_blank < ties.count.equal


def test_of_a_model_that_hears():
    model = load_model(MODEL)
    speech, blank = speech_of(model), model.config.blank_id
    utterances = read_set(utterance_set(MODEL))
    makers = {
        "greedy": lambda saw: search_of(model, saw),
        "beam": lambda saw: beam_of(model, BeamRules(), recording=saw),
    }
    for name, make in makers.items():
        saw, ties = Recording(), Ties(blank)
        hearings = [hear(Ear(speech, make(saw)), each, 0.6) for each in utterances]
        assert all(each.ties is None for each in hearings)
        ear = Ear(speech, make(ties), ties=ties)
        counted = [hear(ear, each, 0.6).ties for each in utterances]
        summed = TieCount(*(sum(of) for of in zip(*counted, strict=True)))
        assert summed == plain(saw.vectors["logits"], blank), name
        assert summed.equal and summed.outputs > 300
