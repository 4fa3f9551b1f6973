"""Beam searches by the rules that sherpa-onnx follows, on networks of ours.

Where sherpa-onnx's text is not that of `npu.speech.beam`, this tells whether rules are why. Of
icefall's modified beam search:

- Of all ways to go on, with a blank or a symbol, the best few are taken, and then equal strings
  become one; ours become one before the best are taken.
- The best string is that of the greatest score over its length, which counts the context before the
  first symbol; ours is that of the greatest score.
- A phrase to be heard more readily adds to a way after it was taken, anywhere in a word; behind a
  phrase the next one begins anew, and an open beginning keeps what it got at the end. Ours adds
  before, between the borders of words, and takes back (`npu.speech.hotwords`).

Of the one for models of NeMo, in which a call may give several symbols:

- Equal strings stay apart, each with the score of one way to it; ours become one.
- Strings that have ended the call compete with those that go on in it for the places that there
  are; of ours, those that go on have places of their own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.train.export.network import CONTEXT
from compiler.train.sherpa.floats import FloatNetworks, State

Symbols = tuple[int, ...]


class Phrases:
    """What sherpa-onnx adds for phrases.

    Parameters
    ----------
    phrases : symbols of each, and nats a symbol.
    """

    def __init__(self, phrases: Mapping[Symbols, float]) -> None:
        self._nats: dict[Symbols, float] = {}
        self._worth: dict[Symbols, float] = {(): 0.0}
        self._whole = set(phrases)
        for phrase, nats in phrases.items():
            for place in range(1, len(phrase) + 1):
                begun = phrase[:place]
                self._nats[begun] = max(nats, self._nats.get(begun, nats))
                self._worth[begun] = self._worth[begun[:-1]] + self._nats[begun]

    def step(self, begun: Symbols, symbol: int) -> tuple[float, Symbols]:
        """Nats for a symbol behind a beginning of phrases, and what is begun then."""
        longer = (*begun, symbol)
        then = self._ending(longer, self._worth)
        nats = self._nats[then] if then == longer else self._worth[then] - self._worth[begun]
        whole = self._ending(then, self._whole)
        if not whole:
            return nats, then
        return nats + self._worth[whole] - self._worth[then], ()

    @staticmethod
    def _ending(string: Symbols, known: Iterable[Symbols]) -> Symbols:
        """The longest end of a string that is known, or nothing."""
        ends = (string[place:] for place in range(len(string)))
        return next((each for each in ends if each in known), ())


def by_length(strings: Iterable[tuple[Symbols, float]]) -> Symbols:
    """The best of strings with their scores, as sherpa-onnx ranks them."""
    return max(strings, key=lambda each: each[1] / (len(each[0]) + CONTEXT))[0]


def icefall_beam(
    networks: FloatNetworks,
    calls: NDArray[np.int8],
    paths: int,
    blank_penalty: float = 0.0,
    phrases: Phrases | None = None,
) -> Symbols:
    """The symbols of an utterance.

    Parameters
    ----------
    calls : what the encoder is called with, (calls, frames, width).
    paths : strings that are kept. blank_penalty : nats; blank is symbol 0.
    phrases : that are to be heard more readily.
    """
    networks.reset()
    phrases = phrases or Phrases({})
    known: dict[Symbols, tuple[Any, State]] = {(): networks.predict_from(None, 0)}
    begun: dict[Symbols, Symbols] = {(): ()}
    kept: dict[Symbols, float] = {(): 0.0}
    for call in calls:
        (encoded,) = networks.encode(call[np.newaxis])
        ways: list[tuple[float, Symbols, int]] = []
        for string, score in kept.items():
            logits = networks.join(encoded, known[string][0])
            logits[0] -= blank_penalty
            scores = score + logits - np.logaddexp.reduce(logits)
            ways += [(float(each), string, symbol) for symbol, each in enumerate(scores)]
        merged: dict[Symbols, float] = {}
        for score, string, symbol in sorted(ways, key=lambda way: -way[0])[:paths]:
            longer = (*string, symbol) if symbol else string
            if symbol:
                nats, begun[longer] = phrases.step(begun[string], symbol)
                score += nats
            before = merged.get(longer)
            merged[longer] = score if before is None else float(np.logaddexp(before, score))
            if longer not in known:
                known[longer] = networks.predict_from(known[string][1], symbol)
        kept = merged
    return by_length(kept.items())


def nemo_beam(networks: FloatNetworks, calls: NDArray[np.int8], paths: int, most: int) -> Symbols:
    """The symbols of an utterance.

    Parameters
    ----------
    calls, paths : as of `icefall_beam`. most : symbols of a call.
    """
    networks.reset()
    encoded = [frame for call in calls for frame in networks.encode(call[np.newaxis])]
    known: dict[Symbols, tuple[Any, State]] = {(): networks.predict_from(None, 0)}
    kept: list[tuple[float, Symbols, int, int]] = [(0.0, (), 0, 0)]  # of it: call, symbols in it
    while (now := min(call for _, _, call, _ in kept)) < len(calls):
        ways = [way for way in kept if way[2] > now]
        for score, string, call, emitted in kept:
            if call > now:
                continue
            if emitted >= most:
                ways.append((score, string, call + 1, 0))
                continue
            logits = networks.join(encoded[call], known[string][0])
            scores = score + logits - np.logaddexp.reduce(logits)
            for symbol in np.argsort(-scores, kind="stable")[:paths].tolist():
                if not symbol:
                    ways.append((float(scores[0]), string, call + 1, 0))
                    continue
                longer = (*string, symbol)
                ways.append((float(scores[symbol]), longer, call, emitted + 1))
                if longer not in known:
                    known[longer] = networks.predict_from(known[string][1], symbol)
        kept = sorted(ways, key=lambda way: -way[0])[:paths]
    return kept[0][1]
