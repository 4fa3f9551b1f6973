"""A beam search over a transducer: several hypotheses side by side, best first.

A hypothesis is a string of symbols; its score is the sum over all ways to emit it, so equal strings
are merged. In each frame that the encoder gives every hypothesis may emit up to
`max_symbols_per_frame` symbols before its blank: the zoo's models emit most of their symbols in
frames with two and more. Scores are
integers (`npu.speech.scores`), and of equal ones the lower symbol comes first, so every engine
finds the same hypotheses.

The search is the one that Graves describes (arXiv 1211.3711, section 2.4) with its expansions in
rounds: all hypotheses that have emitted n symbols in a frame are looked at together. `one_symbol`
ends a frame with its first symbol, as icefall's modified beam search does. It is not that search:
icefall takes the best ways, with a blank or a symbol, before equal strings become one, gives none
up for being far behind, and its winner has the greatest score over its length; the rules are in
`compiler.train.sherpa.rules`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from npu.model.inputs import Expected, require_calls
from npu.speech.emission import Emission, emissions
from npu.speech.hotwords import Boost
from npu.speech.nbest import Found
from npu.speech.scores import LEAST, ONE, Scorer, Scores, log_add
from npu.speech.search import SearchRules, Vector, require_rules
from npu.speech.ways import Key, Node, Text, Way, key

ACTIVE_PATHS, MOST_PATHS = 4, 64
"""Without a word, of sherpa-onnx, too; and at most, where a user says."""

APART = 8.0
"""Nats: what is so much less likely than the best hypothesis is given up."""


class Branching(Protocol):
    """A transducer's networks (`npu.speech.search.Networks`) whose prediction network goes on from
    any state that it was in. What is encoded and predicted is theirs alone.

    Attributes
    ----------
    features, symbols : as of `Networks`.
    """

    @property
    def features(self) -> Expected: ...

    @property
    def symbols(self) -> int: ...

    def reset(self) -> None:
        """States to their start values."""

    def encode(self, features: Vector) -> Sequence[Any]:
        """The encoder on its next call: its frames, which hold until the next one."""

    def predict_from(self, state: Any, symbol: int) -> tuple[Any, Any]:
        """The prediction network on a symbol, after the symbols that led to a state.

        state : None for the begin of an utterance. The one that is returned is for this alone. It
            may be held as long as a search needs it; a chip has places for so many.
        """

    def join(self, encoded: Any, predicted: Any) -> Vector:
        """The joiner's logits of a frame, (symbols,)."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """What may have been said.

    Attributes
    ----------
    text : which string it is. score : of all ways to emit it, in units of `npu.speech.scores.ONE`.
    emission : of the last symbol, on the likeliest way; None without a symbol.
    prediction, state : of the prediction network behind the last symbol.
    boosted : how much of a phrase has been spelt, a state of `npu.speech.hotwords.Boost`.
    node : where it stands among all ways of the search; None where nobody asks for a lattice.
    """

    text: Text
    score: int
    emission: Emission | None
    prediction: Any
    state: Any
    boosted: int = 0
    node: Node | None = None

    @property
    def emissions(self) -> list[Emission]:
        """Of each symbol."""
        return emissions(self.emission)

    @property
    def symbols(self) -> list[int]:
        """From the first to the last."""
        return [emission.symbol for emission in self.emissions]


class Longer(NamedTuple):
    """A hypothesis and one more symbol, before anybody is asked about it.

    Attributes
    ----------
    score : with it, and with what a phrase adds. alone : of the symbol. boosted : as then.
    """

    before: Hypothesis
    symbol: int
    score: int
    alone: int
    boosted: int


@dataclass(frozen=True)
class BeamRules:
    """How wide the search is.

    Attributes
    ----------
    active_paths : hypotheses that are kept, at least 1.
    apart : nats below the best one in which others are kept, above 0.
    one_symbol : a frame ends with the first symbol that is emitted in it.
    """

    active_paths: int = ACTIVE_PATHS
    apart: float = APART
    one_symbol: bool = False

    def __post_init__(self) -> None:
        if self.active_paths < 1:
            raise ValueError(f"active_paths must be at least 1, not {self.active_paths}")
        if not self.apart > 0:
            raise ValueError(f"apart must be above 0, not {self.apart!r}")


class BeamSearch:
    """A streaming beam search.

    Parameters
    ----------
    networks : of the transducer.
    rules : of its model.
    scorer : makes scores of logits.
    beam : how wide.
    boost : phrases that are to be heard more readily.
    lattice : symbols by which `npu.speech.ways` takes one hypothesis for another, at least 1; None
        records nothing.

    Attributes
    ----------
    frames : that the encoder has given since the reset.

    Raises ModelError if the rules are not those of the networks.
    """

    def __init__(
        self,
        networks: Branching,
        rules: SearchRules,
        scorer: Scorer,
        beam: BeamRules | None = None,
        boost: Boost | None = None,
        lattice: int | None = None,
    ) -> None:
        require_rules(networks.symbols, rules)
        if lattice is not None and lattice < 1:
            raise ValueError(f"lattice must be at least 1 symbol, not {lattice}")
        self._networks, self._rules, self.scorer = networks, rules, scorer
        self._beam, self._boost = beam or BeamRules(), boost
        self._lattice = lattice
        self._apart = round(min(self._beam.apart * ONE, -LEAST))
        self.reset()

    def reset(self) -> None:
        """Begin an utterance."""
        self._networks.reset()
        prediction, state = self._networks.predict_from(None, self._rules.start)
        start = 0 if self._boost is None else self._boost.start
        node = None if self._lattice is None else Node()
        self._kept = [Hypothesis(Text(), 0, None, prediction, state, start, node)]
        self.frames = 0

    @property
    def beam(self) -> "BeamSearch":
        """This search, as of anything that has one (`npu.speech.phrases.Beam`)."""
        return self

    @property
    def found(self) -> list[Found]:
        """The hypotheses as strings, best first."""
        strings = []
        # What the end of a phrase adds, by string.
        before = {each.text: each.score for each in self._kept}
        for each in self.hypotheses:
            emitted = each.emissions
            symbols = tuple(emission.symbol for emission in emitted)
            frames = tuple(emission.frame for emission in emitted)
            bonus = 0 if self._boost is None else self._boost.worth(symbols)
            end = each.score - before[each.text]
            strings.append(Found(symbols, frames, each.score, bonus, each.text, each.node, end))
        return strings

    @property
    def hypotheses(self) -> list[Hypothesis]:
        """What may have been said if nothing comes behind it, best first; for this call alone, as
        what the next one does not need is forgotten.
        """
        if self._boost is None:
            return self._kept
        ended = [
            replace(each, score=each.score + self._boost.end(each.boosted)) for each in self._kept
        ]
        return sorted(ended, key=lambda each: -each.score)

    def restart(self) -> None:
        """Begin another utterance amid a stream: as `reset`."""
        self.reset()

    def accept_calls(self, features: Vector) -> list[Emission | None]:
        """Take the next encoder calls, (calls, frames, features) int8; the last symbol of the best
        hypothesis after each.

        Raises InputError if `features` does not fit the encoder.
        """
        require_calls("features", self._networks.features, features)
        found = []
        for call in features:
            for encoded in self._networks.encode(call[np.newaxis]):
                self._frame(encoded)
            found.append(self._kept[0].emission)
        return found

    def _frame(self, encoded: Any) -> None:
        finished: dict[Text, Hypothesis] = {}
        active = self._kept
        # One string may be reached from several others: the prediction network runs once on it.
        known = {hypothesis.text: hypothesis for hypothesis in active}
        most = 1 if self._beam.one_symbol else self._rules.max_symbols_per_frame
        for _ in range(most):
            longer: list[Longer] = []
            for hypothesis in active:
                scores = self.scorer(self._networks.join(encoded, hypothesis.prediction))
                _finish(finished, hypothesis, int(scores[self._rules.blank]))
                longer += self._longer(hypothesis, scores)
            longer.sort(key=lambda each: (-each.score, each.symbol))
            # With one symbol a frame, what ends with a symbol competes with what ends with a blank.
            near, least = self._least(finished.values(), longer)
            going = [each for each in longer[: self._beam.active_paths] if each.score > least]
            active = [self._emitted(each, known) for each in going]
            if not active:
                break
            if self._lattice is not None:
                given_up = (each for each in longer[len(active) :] if each.score >= near)
                _recombine_longer(given_up, active, self._lattice)
        for hypothesis in active:
            # A frame that is full ends without a blank.
            _finish(finished, hypothesis, 0)
        best = sorted(finished.values(), key=lambda each: -each.score)
        best = [each for each in best if each.score >= best[0].score - self._apart]
        self._kept = best[: self._beam.active_paths]
        if self._lattice is not None:
            _recombine(best[self._beam.active_paths :], self._kept, self._lattice)
        self.frames += 1

    def _longer(self, hypothesis: Hypothesis, scores: Scores) -> Iterator[Longer]:
        """With one more symbol; no more than are kept."""
        added, behind = (None, None) if self._boost is None else self._boost.row(hypothesis.boosted)
        worth = scores if added is None else scores + added
        order = np.argsort(-worth, kind="stable")[: self._beam.active_paths + 1].tolist()
        symbols = [symbol for symbol in order if symbol != self._rules.blank]
        for symbol in symbols[: self._beam.active_paths]:
            yield Longer(
                hypothesis,
                symbol,
                hypothesis.score + int(worth[symbol]),
                int(scores[symbol]),
                0 if behind is None else int(behind[symbol]),
            )

    def _least(self, finished: Iterable[Hypothesis], longer: list[Longer]) -> tuple[int, int]:
        """The score from which on a hypothesis is near the best one, and the one that it must be
        above to go on.

        As many as are kept have ended the frame with a better one: it could become one of them by
        what a phrase adds with the next symbol, or as another way to one of their strings, which is
        given up here.
        """
        scores = sorted((each.score for each in finished), reverse=True)
        best = max(scores[0], longer[0].score if longer else LEAST)
        near = least = best - self._apart
        if len(scores) >= self._beam.active_paths:
            more = 0 if self._boost is None else self._boost.most
            least = max(least, scores[self._beam.active_paths - 1] - more)
        return near, least

    def _emitted(self, longer: Longer, known: dict[Text, Hypothesis]) -> Hypothesis:
        before, symbol, score = longer.before, longer.symbol, longer.score
        text = before.text.then(symbol)
        emission = Emission(before.emission, symbol, self.frames, longer.alone)
        node = None if before.node is None else before.node.then(*_step(longer))
        if (same := known.get(text)) is not None:
            return replace(same, score=score, emission=emission, node=node)
        prediction, state = self._networks.predict_from(before.state, symbol)
        known[text] = Hypothesis(text, score, emission, prediction, state, longer.boosted, node)
        return known[text]


def _finish(finished: dict[Text, Hypothesis], hypothesis: Hypothesis, blank: int) -> None:
    """Add a hypothesis to those whose frame has ended; equal strings become one.

    blank : the score with which it has.
    """
    node = None if hypothesis.node is None else hypothesis.node.ended(blank)
    score = hypothesis.score + blank
    other = finished.get(hypothesis.text)
    if other is not None:
        if node is not None and other.node is not None:
            other.node.ways += node.ways
            node = other.node
        hypothesis = hypothesis if score > other.score else other
        score = log_add(score, other.score)
    finished[hypothesis.text] = replace(hypothesis, score=score, node=node)


# --- hypotheses that go on as others, for a lattice -----------------------------------------------
def _keys(kept: Iterable[Hypothesis], labels: int) -> dict[Key, Node]:
    """The nodes of hypotheses, the best one's of those that look the same."""
    nodes: dict[Key, Node] = {}
    for each in kept:
        assert each.node is not None, "the search records"
        nodes.setdefault(key(each.emission, each.boosted, labels), each.node)
    return nodes


def _recombine(given_up: Iterable[Hypothesis], kept: Iterable[Hypothesis], labels: int) -> None:
    """The ways of hypotheses that are given up at the end of a frame."""
    nodes = _keys(kept, labels)
    for each in given_up:
        node = nodes.get(key(each.emission, each.boosted, labels))
        if node is not None and each.node is not None:
            node.others.append((each.text, each.node.ways))


def _recombine_longer(given_up: Iterable[Longer], kept: Iterable[Hypothesis], labels: int) -> None:
    """Likewise within a frame: of those that would have emitted one more symbol."""
    nodes = _keys(kept, labels)
    for each in given_up:
        last = Emission(each.before.emission, each.symbol, 0)
        node = nodes.get(key(last, each.boosted, labels))
        if node is not None and each.before.node is not None:
            text = each.before.text.then(each.symbol)
            node.others.append((text, [Way(each.before.node, *_step(each))]))


def _step(longer: Longer) -> tuple[int, int, int]:
    """A symbol, its score and what of it is a phrase's."""
    score = longer.score - longer.before.score
    return longer.symbol, score, score - longer.alone
