"""A trained transducer: weights in float32, and the grids on which its integers lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.quantise.ranges import Grid

Array = NDArray[np.float32]

CONTEXT = 2
"""Symbols that a stateless predictor sees."""


@dataclass(frozen=True, eq=False)
class TrainedEmbedding:
    """A vector for each symbol: `table` (symbols, width) float32, on `grid`."""

    table: Array
    grid: Grid


@dataclass(frozen=True, eq=False)
class LstmPredictor:
    """A predictor whose state holds all symbols so far."""

    embedding: TrainedEmbedding
    layers: tuple[TrainedLstm | TrainedDense, ...]


@dataclass(frozen=True, eq=False)
class StatelessPredictor:
    """A predictor that sees the last two symbols.

    Its first layer takes (2 * width,): the embedding of the symbol before, then the last one's.
    Before the first symbol of an utterance stands a vector of zeros.
    """

    embedding: TrainedEmbedding
    layers: tuple[TrainedDense, ...]


@dataclass(frozen=True, eq=False)
class TrainedJoiner:
    """Encoder plus predictor, tanh, and a dense layer to the logits; `sum` is the grid before tanh.

    The projections of both sides are the last layers of encoder and predictor.
    """

    sum: Grid
    output: TrainedDense


@dataclass(frozen=True, eq=False)
class TrainedTransducer:
    """The three networks.

    Attributes
    ----------
    features : grid of the encoder's input
    frames_per_call : stacked frames that an encoder call takes; one vector comes out
    encoder : layers in their order, the last one a projection to the joiner's width
    """

    features: Grid
    frames_per_call: int
    encoder: tuple[TrainedLstm | TrainedDense | TimeStack, ...]
    predictor: LstmPredictor | StatelessPredictor
    joiner: TrainedJoiner

    @property
    def symbols(self) -> int:
        return self.joiner.output.rows
