"""A trained transducer in floats: weights on their grids, no activation on any, no cell clipped.

It is what a float export of the network must answer; written apart from that, and from training.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.train.export.checks import check
from compiler.train.export.network import StatelessPredictor, TrainedTransducer
from compiler.train.export.simulate import Features
from npu.speech.scores import LEAST, ONE, Scorer, Scores

Floats = NDArray[np.float64]
State = tuple[Floats, ...]


class FloatNetworks:
    """The networks that a search asks (`npu.speech.search.Networks`, `npu.speech.beam.Branching`).

    What goes in is the integers that the chip hears, what comes out are float64 vectors.

    Attributes
    ----------
    features, symbols : as of `Networks`.
    """

    def __init__(self, trained: TrainedTransducer) -> None:
        """Raises ModelError as `write_transducer` does."""
        check(trained)
        self.features = Features.of(trained)
        self.symbols = trained.symbols
        self._trained = trained
        self._stateless = isinstance(trained.predictor, StatelessPredictor)
        self._table = trained.predictor.embedding.table.astype(np.float64)
        self.reset()

    def reset(self) -> None:
        """States to their start values."""
        self._heard = _zeros(self._trained.encoder)
        self._said: State | None = None

    def encode(self, features: NDArray[np.int8]) -> list[Any]:
        """The encoder on its next call, (1, frames, width) int8 to one frame, (width,)."""
        frames = self._trained.features.real(features[0]).astype(np.float64)
        out, self._heard = _run(self._trained.encoder, frames, self._heard)
        return [out[0]]

    def predict(self, symbol: int) -> Any:
        """The predictor on a symbol behind those so far, (width,)."""
        out, self._said = self.predict_from(self._said, symbol)
        return out

    def predict_from(self, state: State | None, symbol: int) -> tuple[Any, State]:
        """The predictor on a symbol behind those that led to a state; None where there are none."""
        layers, embedded = self._trained.predictor.layers, self._table[symbol]
        if self._stateless:
            before = np.zeros_like(embedded) if state is None else state[0]
            seen = np.concatenate([before, embedded])
            return _run(layers, seen[np.newaxis], ())[0][0], (embedded,)
        out, then = _run(layers, embedded[np.newaxis], _zeros(layers) if state is None else state)
        return out[0], then

    def join(self, encoded: Any, predicted: Any) -> Any:
        """The logits, (symbols,)."""
        return _dense(self._trained.joiner.output, np.tanh(encoded + predicted))


class FloatScorer(Scorer):
    """Scores of logits that are floats, on the scale of `npu.speech.scores`.

    Parameters
    ----------
    blank, blank_penalty, temperature : as of `Scorer`.
    """

    def __init__(self, blank: int, blank_penalty: float = 0.0, temperature: float = 1.0) -> None:
        super().__init__(1.0, blank, blank_penalty, temperature)  # raises for what is out of range
        self._penalty, self._temperature = blank_penalty, temperature

    def __call__(self, logits: NDArray[np.floating]) -> Scores:  # type: ignore[override]
        """The score of each symbol, (symbols,) int64 of at most 0."""
        nats = np.asarray(logits, np.float64) / self._temperature
        nats[self._blank] -= self._penalty
        below = nats - nats.max()
        scores = below - np.log(np.exp(below).sum())
        return np.maximum(np.rint(scores * ONE).astype(np.int64), LEAST)


def _zeros(layers: Sequence[TrainedLstm | TrainedDense | TimeStack]) -> State:
    """Hidden and cell state of each recurrent layer at the begin."""
    units = [each.units for each in layers if isinstance(each, TrainedLstm)]
    return tuple(np.zeros(count) for count in units for _ in range(2))


def _run(
    layers: Sequence[TrainedLstm | TrainedDense | TimeStack], values: Floats, state: State
) -> tuple[Floats, State]:
    """Layers one behind the other on (frames, width); with the states behind them."""
    then: list[Floats] = []
    for layer in layers:
        match layer:
            case TimeStack():
                values = values.reshape(len(values) // layer.frames, -1)
            case TrainedDense():
                values = _dense(layer, values)
            case TrainedLstm():
                values, *ended = _lstm(layer, values, *state[len(then) : len(then) + 2])
                then += ended
    return values, tuple(then)


def _dense(layer: TrainedDense, values: Floats) -> Floats:
    sums = values @ layer.weights.astype(np.float64).T
    sums = sums if layer.bias is None else sums + layer.bias
    return np.maximum(sums, 0.0) if layer.relu else sums


def _lstm(
    layer: TrainedLstm, values: Floats, hidden: Floats, cell: Floats
) -> tuple[Floats, Floats, Floats]:
    inputs = layer.input_weights.reshape(-1, layer.inputs).astype(np.float64)
    recurrent = layer.recurrent_weights.reshape(-1, layer.units).astype(np.float64)
    out = np.empty((len(values), layer.units))
    for step, value in enumerate(values):
        i, f, g, o = np.split(inputs @ value + recurrent @ hidden + layer.bias.ravel(), 4)
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
        out[step] = hidden = _sigmoid(o) * np.tanh(cell)
    return out, hidden, cell


def _sigmoid(values: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * values))
