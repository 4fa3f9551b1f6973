"""The greedy policy on networks that answer as a table says."""

import numpy as np
import pytest

from npu.errors import InputError, ModelError
from npu.model.graph import Quantization, Tensor
from npu.speech.search import GreedySearch, SearchRules

FEATURES = Tensor("features", (1, 2, 3), "int8", Quantization(np.ones(1, np.float32), 0), None)


class Script:
    """Networks whose joiner answers what was written down, whatever it is asked."""

    features = FEATURES
    symbols = 4
    frames_out = 1

    def __init__(self, *best):
        self.best = list(best)
        self.asked = []

    def reset(self):
        self.asked.append("reset")

    def encode(self, features):
        self.asked.append(f"encode {features[0, 0, 0]}")
        return [np.zeros(1, np.int8)] * self.frames_out

    def predict(self, symbol):
        self.asked.append(f"predict {symbol}")
        return np.full(1, symbol, np.int8)

    def join(self, encoded, predicted):
        self.asked.append(f"join {predicted[0]}")
        logits = np.zeros(self.symbols, np.int8)
        logits[list(self.best.pop(0))] = 9
        return logits


def calls(n):
    return np.arange(n, dtype=np.int8).reshape(-1, 1, 1) * np.ones((1, 2, 3), np.int8)


def test_what_is_asked_and_answered():
    networks = Script([2], [0], [0], [3], [1], [2])
    search = GreedySearch(networks, SearchRules(blank=0, start=1, max_symbols_per_frame=3))
    assert search.accept_calls(calls(3)) == [[2], [], [3, 1, 2]]
    first = "reset, predict 1, encode 0, join 1, predict 2, join 2"
    last = "encode 2, join 2, predict 3, join 3, predict 1, join 1, predict 2"
    assert ", ".join(networks.asked) == f"{first}, encode 1, join 2, {last}"


def test_every_frame_of_a_call_is_joined():
    """In order, with the prediction that the one before has left."""
    networks = Script([2], [0], [0], [3], [1], [2], [0])
    networks.frames_out = 2
    search = GreedySearch(networks, SearchRules(blank=0, start=1, max_symbols_per_frame=2))
    assert search.accept_calls(calls(2)) == [[2], [], [3, 1], [2]]
    first = "reset, predict 1, encode 0, join 1, predict 2, join 2, join 2"
    last = "encode 1, join 2, predict 3, join 3, predict 1, join 1, predict 2, join 2"
    assert ", ".join(networks.asked) == f"{first}, {last}"


def test_the_first_of_equals_wins():
    networks = Script([1, 3], [0, 2])
    search = GreedySearch(networks, SearchRules(0, 0, 5))
    assert search.accept(calls(1)) == [1]


def test_an_utterance_begins_with_the_start_symbol():
    networks = Script([2], [0], [0])
    search = GreedySearch(networks, SearchRules(0, 3, 5))
    search.accept(calls(1))
    networks.asked.clear()
    search.restart()
    search.accept(calls(1))
    assert networks.asked == ["reset", "predict 3", "encode 0", "join 3"]


def test_rules_of_another_model():
    for rules, message in (
        (SearchRules(4, 0, 1), "blank must be a symbol of 0 to 3, not 4"),
        (SearchRules(0, -1, 1), "start must be a symbol of 0 to 3, not -1"),
        (SearchRules(0, 0, 0), "max_symbols_per_frame must be at least 1, not 0"),
    ):
        with pytest.raises(ModelError, match=message):
            GreedySearch(Script(), rules)


def test_features_of_another_model():
    search = GreedySearch(Script(), SearchRules(0, 0, 1))
    for features in (calls(1).astype(np.int16), calls(1)[:, :1], calls(1)[0]):
        with pytest.raises(InputError, match=r"features must be int8 \(calls, 2, 3\), not "):
            search.accept_calls(features)
