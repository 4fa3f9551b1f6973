"""Layers with their weights in float32, and the grids on which their integers lie.

Weights that share few values (code books of 4 or 3 bits) are weights like any others: each is one
of at most 255 integers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.quantise.ranges import Grid

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainedLstm:
    """A layer of LSTM cells; gates in the order i, f, g (cell), o.

    Attributes
    ----------
    input_weights : (4, units, inputs) float32
    recurrent_weights : (4, units, units) float32
    bias : (4, units) float32
    input_steps, recurrent_steps : (4,) float32, the step of each gate's grid
    hidden : of the hidden state, which is the output
    cell_exponent : e of the cell's step 2**e, an int16
    cell_clip : limit of |cell state|, 0 for none; 10 is the converter's
    """

    input_weights: Array
    recurrent_weights: Array
    bias: Array
    input_steps: Array
    recurrent_steps: Array
    hidden: Grid
    cell_exponent: int
    cell_clip: float = 10.0

    @property
    def units(self) -> int:
        return int(self.input_weights.shape[1])

    @property
    def inputs(self) -> int:
        return int(self.input_weights.shape[2])


@dataclass(frozen=True, eq=False)
class TrainedDense:
    """A fully connected layer, behind it a ReLU where it has one.

    Attributes
    ----------
    weights : (rows, columns) float32
    bias : (rows,) float32, or None
    steps : (rows,) float32, or (1,) for the whole tensor
    output : of what it gives
    """

    weights: Array
    bias: Array | None
    steps: Array
    output: Grid
    relu: bool = False

    @property
    def rows(self) -> int:
        return int(self.weights.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.weights.shape[1])


@dataclass(frozen=True)
class TimeStack:
    """So many frames side by side become one, oldest first."""

    frames: int


def output_grid(layer: TrainedLstm | TrainedDense | TimeStack) -> Grid:
    """Of what a layer computes. Raises TypeError for a stack, which computes nothing."""
    if isinstance(layer, TimeStack):
        raise TypeError("a stack has the grid of the layer before")
    return layer.output if isinstance(layer, TrainedDense) else layer.hidden
