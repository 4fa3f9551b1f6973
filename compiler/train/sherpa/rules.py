"""icefall's modified beam search by the rules that sherpa-onnx follows, on networks of ours.

Where sherpa-onnx's text is not that of `npu.speech.beam`, this tells whether rules are why:

- Of all ways to go on, with a blank or a symbol, the best few are taken, and then equal strings
  become one; ours become one before the best are taken.
- The best string is that of the greatest score over its length, which counts the context before the
  first symbol; ours is that of the greatest score.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.train.export.network import CONTEXT
from compiler.train.sherpa.floats import FloatNetworks, State

Symbols = tuple[int, ...]


def by_length(strings: Iterable[tuple[Symbols, float]]) -> Symbols:
    """The best of strings with their scores, as sherpa-onnx ranks them."""
    return max(strings, key=lambda each: each[1] / (len(each[0]) + CONTEXT))[0]


def icefall_beam(
    networks: FloatNetworks,
    calls: NDArray[np.int8],
    paths: int,
    blank_penalty: float = 0.0,
) -> Symbols:
    """The symbols of an utterance.

    Parameters
    ----------
    calls : what the encoder is called with, (calls, frames, width).
    paths : strings that are kept. blank_penalty : nats; blank is symbol 0.
    """
    networks.reset()
    known: dict[Symbols, tuple[Any, State]] = {(): networks.predict_from(None, 0)}
    kept: dict[Symbols, float] = {(): 0.0}
    for call in calls:
        encoded = networks.encode(call[np.newaxis])
        ways: list[tuple[float, Symbols, int]] = []
        for string, score in kept.items():
            logits = networks.join(encoded, known[string][0])
            logits[0] -= blank_penalty
            scores = score + logits - np.logaddexp.reduce(logits)
            ways += [(float(each), string, symbol) for symbol, each in enumerate(scores)]
        merged: dict[Symbols, float] = {}
        for score, string, symbol in sorted(ways, key=lambda way: -way[0])[:paths]:
            longer = (*string, symbol) if symbol else string
            before = merged.get(longer)
            merged[longer] = score if before is None else float(np.logaddexp(before, score))
            if longer not in known:
                known[longer] = networks.predict_from(known[string][1], symbol)
        kept = merged
    return by_length(kept.items())
