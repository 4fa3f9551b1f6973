"""Small transducers and what a beam makes of them, for the tests of lattices."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from npu.model.graph import Tensor
from npu.model.tokens import Tokens
from npu.speech.beam import BeamRules, BeamSearch
from npu.speech.lattice import Arc, Lattice
from npu.speech.lattice_words import lattice_of
from npu.speech.scores import ONE, Scorer
from npu.speech.search import SearchRules

TOKENS = Tokens(("<blk>", " ", "a", "b"))
MOST = 2
RULES = SearchRules(blank=0, start=0, max_symbols_per_frame=MOST)
SCORE = Scorer(0.03, 0)


@dataclass
class Stateless:
    """Networks whose logits follow from a seed, the call and the last symbols; None: from all."""

    seed: int
    memory: int | None
    symbols: int = len(TOKENS)

    @property
    def features(self) -> Tensor:
        return Tensor("features", (1, 1, 1), "int8", None, None)

    def reset(self) -> None:
        self.call = -1

    def encode(self, features) -> list[int]:
        self.call += 1
        return [self.call]

    def predict_from(self, state, symbol):
        # The start symbol is no part of what was said.
        history = () if state is None else (*state, symbol)
        return history, history

    def join(self, encoded, predicted) -> np.ndarray:
        seen = predicted if self.memory is None else predicted[-self.memory :]
        return logits(self.seed, encoded, seen)


@lru_cache(100_000)
def logits(seed, call, seen) -> np.ndarray:
    rng = np.random.default_rng([seed, call, len(seen), *seen])
    return rng.integers(-128, 128, len(TOKENS)).astype(np.int8)


def searched(seed, beam, calls, labels, memory=2, boost=None) -> BeamSearch:
    search = BeamSearch(Stateless(seed, memory), RULES, SCORE, beam, boost, labels)
    search.accept_calls(np.zeros((calls, 1, 1), np.int8))
    return search


def lattice(seed, paths=3, calls=4, labels=1, memory=2, apart=1000.0, most=10**6) -> Lattice:
    """Of a narrow beam, with all that it has given up for the like."""
    search = searched(seed, BeamRules(paths, 50), calls, labels, memory)
    return lattice_of(search.found, TOKENS, apart, most)


def all_paths(of: Lattice, state: int = 0) -> list[tuple[Arc, ...]]:
    behind = [()] if state in of.ends else []
    for arc in of.arcs:
        if arc.source == state:
            behind += [(arc, *path) for path in all_paths(of, arc.target)]
    return behind


def text_of(path) -> str:
    return " ".join(arc.word for arc in path)


def scores(of: Lattice) -> dict[str, float]:
    """By text, in nats; no text twice."""
    paths = all_paths(of)
    found = {text_of(path): of.score(path) / ONE for path in paths}
    assert len(found) == len(paths)
    return found
