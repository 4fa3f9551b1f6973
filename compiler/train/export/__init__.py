"""A trained transducer as a folder of `.tflite` files, in the form of TensorFlow's converter.

    network   the trained network in float32, with its grids
    checks    whether its parts fit together
    graphs    the three graphs
    folder    the files, written whole
    reading   a folder back as such a network
    simulate  what the integers should answer: the same grids, everything between them in float

It takes arrays of numpy and knows no framework. Grids and layers are those of `compiler.quantise`.
"""

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.quantise.ranges import Grid, cell_exponent, grid_of, step_of, steps_of_rows
from compiler.train.export.folder import write_transducer
from compiler.train.export.network import (
    LstmPredictor,
    StatelessPredictor,
    TrainedEmbedding,
    TrainedJoiner,
    TrainedTransducer,
)
from compiler.train.export.simulate import Simulation

__all__ = [
    "Grid",
    "LstmPredictor",
    "Simulation",
    "StatelessPredictor",
    "TimeStack",
    "TrainedDense",
    "TrainedEmbedding",
    "TrainedJoiner",
    "TrainedLstm",
    "TrainedTransducer",
    "cell_exponent",
    "grid_of",
    "step_of",
    "steps_of_rows",
    "write_transducer",
]
