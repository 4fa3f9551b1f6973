"""The search of a transducer: which symbols its networks stand for, on any engine the same.

A policy asks the networks (`Networks`: three calls and a reset) and never knows what runs them.
`GreedySearch` is one; the loop that a chip runs without its host (`compiler.programs.greedy`)
decides as it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from npu.errors import ModelError
from npu.model.config import ModelConfig
from npu.model.inputs import Expected, require_calls

Vector = NDArray[np.int8]


class Networks(Protocol):
    """A transducer's three networks; encoder and prediction network keep their own states.

    Vectors are int8 and in the scales of the joiner's inputs, wherever they come from.

    Attributes
    ----------
    features : what an encoder call takes, int8 of shape (1, frames, features).
    symbols : how many logits the joiner gives.
    """

    @property
    def features(self) -> Expected: ...

    @property
    def symbols(self) -> int: ...

    def reset(self) -> None:
        """States to their start values."""

    def encode(self, features: Vector) -> Sequence[Vector]:
        """The encoder on its next call: its frames, of every call as many, one or more."""

    def predict(self, symbol: int) -> Vector:
        """The prediction network (decoder) on a symbol that was emitted."""

    def join(self, encoded: Vector, predicted: Vector) -> Vector:
        """The joiner's logits of a frame, (symbols,)."""


@dataclass(frozen=True)
class SearchRules:
    """What a search must know of its model.

    `start` is the symbol before the first; `blank`, or `max_symbols_per_frame` symbols, end a frame
    of the encoder's output.
    """

    blank: int
    start: int
    max_symbols_per_frame: int

    @staticmethod
    def of(config: ModelConfig) -> "SearchRules":
        """Those of a `model.json`."""
        return SearchRules(config.blank_id, config.start_id, config.max_symbols_per_frame)


def require_rules(symbols: int, rules: SearchRules) -> None:
    """Raise ModelError if the rules are not those of networks with so many symbols."""
    for what, symbol in (("blank", rules.blank), ("start", rules.start)):
        if not 0 <= symbol < symbols:
            raise ModelError(f"{what} must be a symbol of 0 to {symbols - 1}, not {symbol}")
    if rules.max_symbols_per_frame < 1:
        raise ModelError(
            f"max_symbols_per_frame must be at least 1, not {rules.max_symbols_per_frame}"
        )


class GreedySearch:
    """A streaming greedy search: the best symbol at every joiner evaluation, no way back.

    At the start of an utterance both recurrent networks are reset and the decoder runs once on
    `start`. Then, for every frame of every encoder call and at most `max_symbols_per_frame` times:
    joiner, argmax (the first of equals), stop at `blank`, else emit the symbol and run the decoder
    on it.

    Raises ModelError if the rules are not those of the networks.
    """

    def __init__(self, networks: Networks, rules: SearchRules) -> None:
        require_rules(networks.symbols, rules)
        self._networks, self._rules = networks, rules
        self.reset()

    def reset(self) -> None:
        """Begin an utterance."""
        self._networks.reset()
        self._prediction = self._networks.predict(self._rules.start)

    def restart(self) -> None:
        """Begin another utterance amid a stream: as `reset`."""
        self.reset()

    def accept(self, features: Vector) -> list[int]:
        """As `accept_calls`, all symbols in one list."""
        return [symbol for symbols in self.accept_calls(features) for symbol in symbols]

    def accept_calls(self, features: Vector) -> list[list[int]]:
        """Take the next encoder calls, (calls, frames, features) int8; the symbols of each frame
        that the encoder gives, a call's behind those of the one before.

        Raises InputError if `features` does not fit the encoder, or a symbol does not fit the
        decoder.
        """
        require_calls("features", self._networks.features, features)
        encode = self._networks.encode
        return [self._frame(frame) for call in features for frame in encode(call[np.newaxis])]

    def _frame(self, encoded: Vector) -> list[int]:
        tokens: list[int] = []
        for _ in range(self._rules.max_symbols_per_frame):
            symbol = int(np.argmax(self._networks.join(encoded, self._prediction)))
            if symbol == self._rules.blank:
                break
            tokens.append(symbol)
            self._prediction = self._networks.predict(symbol)
        return tokens
