"""What a trained transducer should answer: all grids of the integers, everything between in float.

Weights, biases and activations lie on their grids. Gates, cell states and sums are float64, where
the integers round products to int16 and look functions up. How far integers are from this is what
their arithmetic costs; how far this is from the trained network is what its grids cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.quantise.ranges import TANH, Grid, bias_integers, bias_steps, integers_of
from compiler.train.export.checks import check
from compiler.train.export.network import StatelessPredictor, TrainedTransducer

Vector = NDArray[np.int8]
_CELL_MOST = 32767


@dataclass(frozen=True)
class Features:
    """What an encoder call takes."""

    shape: tuple[int, ...]
    dtype: str = "int8"

    @classmethod
    def of(cls, trained: TrainedTransducer) -> "Features":
        """Of a network that `check` has passed."""
        first = trained.encoder[0]
        assert not isinstance(first, TimeStack), "check() the network first"
        return cls((1, trained.frames_per_call, first.inputs))


class Simulation:
    """The networks that a search asks (`npu.speech.search.Networks`), vectors as integers."""

    def __init__(self, trained: TrainedTransducer) -> None:
        """Raises ModelError as `write_transducer` does."""
        check(trained)
        self.features = Features.of(trained)
        self.symbols = trained.symbols
        embedding = trained.predictor.embedding
        self._table = embedding.grid.real(embedding.grid.quantised(embedding.table))
        self._stateless = isinstance(trained.predictor, StatelessPredictor)
        self._sum = trained.joiner.sum
        self._input = trained.features
        self._encoder = _Chain(trained.encoder, trained.features)
        self._predictor = _Chain(trained.predictor.layers, embedding.grid)
        self._logits = _Chain([trained.joiner.output], TANH)
        self.reset()

    def reset(self) -> None:
        """States to their start values."""
        self._encoder.reset()
        self._predictor.reset()
        self._last = np.zeros(self._table.shape[1])

    def encode(self, features: Vector) -> list[Vector]:
        """The encoder on its next call, (1, frames, width) to one frame, (1, 1, width)."""
        frames = self._input.real(features.reshape(self.features.shape[1:]))
        return [self._encoder.grid.quantised(self._encoder.run(frames))[np.newaxis]]

    def predict(self, symbol: int) -> Vector:
        """The predictor on a symbol, (1, 1, width)."""
        embedded = self._table[symbol].astype(np.float64)
        seen = np.concatenate([self._last, embedded]) if self._stateless else embedded
        self._last = embedded
        return self._predictor.grid.quantised(self._predictor.run(seen[np.newaxis]))[np.newaxis]

    def join(self, encoded: Vector, predicted: Vector) -> Vector:
        """The logits, (symbols,)."""
        sides = self._encoder.grid.real(encoded), self._predictor.grid.real(predicted)
        both = _on(self._sum, (sides[0] + sides[1]).reshape(1, -1))
        return self._logits.grid.quantised(self._logits.run(_on(TANH, np.tanh(both))))[0]


def _on(grid: Grid, values: np.ndarray) -> np.ndarray:
    """The nearest values of a grid."""
    return grid.real(grid.quantised(values)).astype(np.float64)


class _Chain:
    """Layers one behind the other, on arrays (frames, width) of real values; `grid` of the last."""

    def __init__(
        self, layers: Sequence[TrainedLstm | TrainedDense | TimeStack], source: Grid
    ) -> None:
        self._layers: list[_Dense | _Lstm | TimeStack] = []
        self.grid = source
        for layer in layers:
            if isinstance(layer, TimeStack):
                self._layers.append(layer)
            elif isinstance(layer, TrainedDense):
                self._layers.append(_Dense(layer, self.grid))
                self.grid = layer.output
            else:
                self._layers.append(_Lstm(layer, self.grid))
                self.grid = layer.hidden

    def reset(self) -> None:
        for layer in self._layers:
            if isinstance(layer, _Lstm):
                layer.reset()

    def run(self, values: np.ndarray) -> np.ndarray:
        for layer in self._layers:
            if isinstance(layer, TimeStack):
                values = values.reshape(len(values) // layer.frames, -1)
            else:
                values = layer.run(values)
        return values


class _Dense:
    def __init__(self, layer: TrainedDense, source: Grid) -> None:
        self._weights = _weights(layer.weights, layer.steps)
        self._bias = _bias(layer.bias, layer.steps, source)
        self._layer = layer

    def run(self, values: np.ndarray) -> np.ndarray:
        sums = values @ self._weights.T + self._bias
        return _on(self._layer.output, np.maximum(sums, 0) if self._layer.relu else sums)


class _Lstm:
    def __init__(self, layer: TrainedLstm, source: Grid) -> None:
        self._layer = layer
        by_gate = zip(layer.input_weights, layer.input_steps, strict=True)
        self._inputs = np.concatenate([_weights(w, s) for w, s in by_gate])
        by_gate = zip(layer.recurrent_weights, layer.recurrent_steps, strict=True)
        self._recurrent = np.concatenate([_weights(w, s) for w, s in by_gate])
        biases = zip(layer.bias, layer.input_steps, strict=True)
        self._bias = np.concatenate([_bias(b, s, source) for b, s in biases])
        most = _CELL_MOST * 2.0**layer.cell_exponent
        self._most = min(most, layer.cell_clip) if layer.cell_clip else most
        self.reset()

    def reset(self) -> None:
        self._hidden = np.zeros(self._layer.units)
        self._cell = np.zeros(self._layer.units)

    def run(self, values: np.ndarray) -> np.ndarray:
        given = values @ self._inputs.T + self._bias
        outputs = np.empty((len(values), self._layer.units))
        for step, sums in enumerate(given):
            i, f, g, o = np.split(sums + self._recurrent @ self._hidden, 4)
            cell = _sigmoid(f) * self._cell + _sigmoid(i) * np.tanh(g)
            self._cell = np.clip(cell, -self._most, self._most)
            self._hidden = _on(self._layer.hidden, _sigmoid(o) * np.tanh(self._cell))
            outputs[step] = self._hidden
        return outputs


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * values))


def _weights(weights: np.ndarray, steps: np.ndarray) -> np.ndarray:
    return integers_of(weights, steps) * np.reshape(steps, (-1, 1)).astype(np.float64)


def _bias(bias: np.ndarray | None, steps: np.ndarray, source: Grid) -> np.ndarray | float:
    if bias is None:
        return 0.0
    grid = bias_steps(source.scale, np.atleast_1d(steps))
    return bias_integers(bias, grid, "bias") * grid.astype(np.float64)
