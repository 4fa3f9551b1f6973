"""The beam search beside the sum over all alignments, which is worked out string by string."""

import gc
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.errors import ModelError
from npu.model.graph import Tensor
from npu.model.tokens import Tokens
from npu.speech.beam import BeamRules, BeamSearch
from npu.speech.hotwords import Boost, Hotword
from npu.speech.scores import ONE, Scorer
from npu.speech.search import GreedySearch, SearchRules
from npu.speech.ways import Text

SYMBOLS, CALLS, MOST = 3, 3, 2
RULES = SearchRules(blank=0, start=0, max_symbols_per_frame=MOST)
SCORE = Scorer(0.05, 0)


@dataclass
class Random:
    """Networks whose logits follow from a seed, the call and all symbols so far; as both searches
    ask them.
    """

    seed: int
    symbols: int = SYMBOLS

    def __post_init__(self) -> None:
        self.predicted = 0

    @property
    def features(self) -> Tensor:
        return Tensor("features", (1, 1, 1), "int8", None, None)

    def reset(self) -> None:
        self.call, self.history = -1, ()

    def encode(self, features) -> list[np.ndarray]:
        self.call += 1
        return [np.array([self.call])]

    def predict(self, symbol):
        # The start symbol is no part of what was said.
        prediction, self.history = self.predict_from(self.history, symbol)
        return prediction

    def predict_from(self, state, symbol):
        self.predicted += 1
        history = (*(state or ()), symbol)
        return np.array(history), history

    def join(self, encoded, predicted) -> np.ndarray:
        return logits(self.seed, int(encoded[0]), tuple(predicted[1:].tolist()), self.symbols)


@lru_cache(100_000)
def logits(seed, call, history, symbols) -> np.ndarray:
    rng = np.random.default_rng([seed, call, len(history), *history])
    return rng.integers(-128, 128, symbols).astype(np.int8)


def searched(seed, beam, calls=CALLS, rules=RULES) -> BeamSearch:
    search = BeamSearch(Random(seed), rules, SCORE, beam)
    search.accept_calls(np.zeros((calls, 1, 1), np.int8))
    return search


def total(seed, string, calls=CALLS, most=MOST) -> float:
    """The logarithm of the sum over all alignments of a string."""
    # By symbols emitted so far, and in this call.
    ways = {(0, 0): 0.0}
    for call in range(calls):
        ended: dict[int, list[float]] = {}
        for here in range(most + 1):
            for place in range(len(string) + 1):
                if (place, here) not in ways:
                    continue
                score = ways[place, here]
                if here == most:
                    ended.setdefault(place, []).append(score)
                    continue
                scores = SCORE(logits(seed, call, tuple(string[:place]), SYMBOLS)) / ONE
                ended.setdefault(place, []).append(score + scores[0])
                if place < len(string):
                    ways[place + 1, here + 1] = score + scores[string[place]]
        ways = {(place, 0): np.logaddexp.reduce(each) for place, each in ended.items()}
    return ways.get((len(string), 0), -np.inf)


def all_strings():
    return [s for n in range(CALLS * MOST + 1) for s in product(range(1, SYMBOLS), repeat=n)]


@pytest.mark.parametrize("seed", range(20))
def test_without_a_limit_it_is_the_sum_over_all_alignments(seed):
    search = searched(seed, BeamRules(active_paths=1000, apart=1000))
    found = {tuple(each.symbols): each.score / ONE for each in search.hypotheses}
    wanted = {string: total(seed, string) for string in all_strings()}
    assert set(found) == set(wanted)
    assert max(abs(found[string] - wanted[string]) for string in wanted) < 1e-3
    scores = [each.score for each in search.hypotheses]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("seed", range(20))
def test_icefalls_form_emits_one_symbol_a_call(seed):
    """There a symbol takes its call, so that no blank follows in it: `most` is 1."""
    search = searched(seed, BeamRules(1000, 1000, one_symbol=True))
    found = {tuple(each.symbols): each.score / ONE for each in search.hypotheses}
    wanted = {s: total(seed, s, most=1) for s in all_strings() if len(s) <= CALLS}
    assert set(found) == set(wanted)
    assert max(abs(found[string] - wanted[string]) for string in wanted) < 1e-3


def test_a_wider_beam_misses_less():
    best = {seed: max(total(seed, string) for string in all_strings()) for seed in range(60)}
    missed = []
    for paths in (1, 2, 4, 16):
        ends = [searched(seed, BeamRules(paths, 50)).hypotheses[0] for seed in best]
        strings = [total(seed, tuple(end.symbols)) for seed, end in enumerate(ends)]
        missed.append(sum(found < best[seed] - 1e-3 for seed, found in enumerate(strings)))
    assert missed == sorted(missed, reverse=True) and missed[0] > missed[-1] == 0


@given(seed=st.integers(0, 10_000), paths=st.integers(1, 6), apart=st.floats(0.5, 20))
def test_what_is_kept_is_bounded_and_told_truly(seed, paths, apart):
    search = searched(seed, BeamRules(paths, apart), calls=6)
    kept = search.hypotheses
    assert 1 <= len(kept) <= paths and len({each.text for each in kept}) == len(kept)
    assert kept[0].score - kept[-1].score <= apart * ONE + 1
    for each in kept:
        emissions, symbols = each.emissions, each.symbols
        calls = [emission.frame for emission in emissions]
        assert len(calls) == len(symbols) and calls == sorted(calls)
        assert max([0, *map(calls.count, calls)]) <= MOST
        assert each.prediction.tolist() == [0, *symbols] == list(each.state)


@pytest.mark.parametrize("seed", range(8))
def test_phrases_add_to_the_score_of_their_strings(seed):
    """Of all strings: the score is that of the sound, and what the phrases in it are worth."""
    tokens = Tokens(("<blk>", " ", "a"))
    boost = Boost([Hotword("a", 1.0), Hotword("aa a", 0.5)], tokens)
    wide = BeamRules(1000, 1000)
    plain = {tuple(each.symbols): each.score for each in searched(seed, wide).hypotheses}
    search = BeamSearch(Random(seed), RULES, SCORE, wide, boost)
    search.accept_calls(np.zeros((CALLS, 1, 1), np.int8))
    scores = [each.score for each in search.hypotheses]
    assert scores == sorted(scores, reverse=True) and len(scores) == len(plain)
    for each in search.hypotheses:
        text = f" {''.join(tokens.symbols[symbol] for symbol in each.symbols)} "
        places = range(len(text))
        worth = sum(text.startswith(" a ", at) for at in places)
        worth += sum(1.5 * text.startswith(" aa a ", at) for at in places)
        assert abs(each.score - plain[tuple(each.symbols)] - worth * ONE) < 3e-4 * ONE


def test_chunks_change_nothing():
    one = searched(3, BeamRules(), calls=8)
    search = BeamSearch(Random(3), RULES, SCORE)
    for _ in range(8):
        search.accept_calls(np.zeros((1, 1, 1), np.int8))
    told = [[(each.symbols, each.score) for each in of.hypotheses] for of in (one, search)]
    assert told[0] == told[1]
    search.reset()
    assert search.frames == 0 and search.hypotheses[0].symbols == []


def test_a_sure_model_is_heard_as_greedily():
    """Where one symbol takes nearly all, there is nothing to weigh."""

    class Sure(Random):
        def join(self, encoded, predicted):
            usual = super().join(encoded, predicted)
            found = np.full_like(usual, -128)
            found[usual.argmax()] = 127
            return found

    for seed in range(30):
        greedy = GreedySearch(Sure(seed), RULES)
        beam = BeamSearch(Sure(seed), RULES, SCORE)
        features = np.zeros((10, 1, 1), np.int8)
        wanted = greedy.accept(features)
        beam.accept_calls(features)
        assert beam.hypotheses[0].symbols == wanted
        # And at no more cost: what is hopeless is never predicted.
        assert beam._networks.predicted == greedy._networks.predicted


def test_equal_strings_are_predicted_once():
    search = searched(5, BeamRules(1000, 1000))
    assert search._networks.predicted == 1 + sum(bool(s) for s in all_strings())


def test_strings_are_one_object_as_long_as_they_are_held():
    text = Text()
    longer = text.then(1).then(2)
    assert text.then(1).then(2) is longer
    assert text.then(2) is not longer
    del longer
    gc.collect()
    assert not list(text._longer)


def test_what_is_refused():
    with pytest.raises(ValueError, match="active_paths must be at least 1, not 0"):
        BeamRules(0)
    with pytest.raises(ValueError, match="apart must be above 0"):
        BeamRules(apart=float("nan"))
    with pytest.raises(ModelError, match="blank must be a symbol of 0 to 2, not 3"):
        BeamSearch(Random(0), SearchRules(3, 0, 1), SCORE)
