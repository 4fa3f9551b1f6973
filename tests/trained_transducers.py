"""Transducers as training leaves them: random ones, and as files."""

from pathlib import Path
from typing import Any

import numpy as np

from compiler import Model, load_model
from compiler.train.export import (
    Grid,
    LstmPredictor,
    StatelessPredictor,
    TimeStack,
    TrainedDense,
    TrainedEmbedding,
    TrainedJoiner,
    TrainedLstm,
    TrainedTransducer,
    step_of,
    steps_of_rows,
    write_transducer,
)

ZEROS = 0.75
HIDDEN = Grid(np.float32(2 / 255), -1)


def sparse(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Weights with which values of about 1 become some of 2, three quarters of them zeros."""
    weights = rng.normal(0, 4 / np.sqrt(shape[-1]), shape).astype(np.float32)
    weights[rng.random(shape) < ZEROS] = 0
    return weights


def random_lstm(rng: np.random.Generator, inputs: int, units: int) -> TrainedLstm:
    of_inputs, recurrent = sparse(rng, 4, units, inputs), sparse(rng, 4, units, units)
    return TrainedLstm(
        of_inputs,
        recurrent,
        rng.normal(0, 0.3, (4, units)).astype(np.float32),
        np.array([step_of(gate) for gate in of_inputs]),
        np.array([step_of(gate) for gate in recurrent]),
        HIDDEN,
        -11,
    )


def random_dense(
    rng: np.random.Generator, inputs: int, rows: int, by_rows: bool = True, relu: bool = False
) -> TrainedDense:
    weights = sparse(rng, rows, inputs)
    steps = steps_of_rows(weights) if by_rows else step_of(weights).reshape(1)
    bias = rng.normal(0, 0.2, rows).astype(np.float32) if by_rows else None
    return TrainedDense(weights, bias, steps, Grid(np.float32(0.03), 4 - 132 * relu), relu)


def random_trained(
    seed: int, stateless: bool, features: int = 12, units: int = 24, symbols: int = 9
) -> TrainedTransducer:
    """Three recurrent layers with a stack of two before the last, as the zoo's encoder has them."""
    rng = np.random.default_rng([seed, stateless])
    width, embedded = 16, 10
    table = rng.normal(0, 1, (symbols, embedded)).astype(np.float32)
    embedding = TrainedEmbedding(table, Grid(np.float32(np.max(np.abs(table)) / 120), -3))
    return TrainedTransducer(
        Grid(np.float32(8 / 255), -60),
        2,
        (
            random_lstm(rng, features, units),
            random_lstm(rng, units, units),
            TimeStack(2),
            random_lstm(rng, 2 * units, units),
            random_dense(rng, units, width),
        ),
        StatelessPredictor(
            embedding,
            (
                random_dense(rng, 2 * embedded, 20, relu=True),
                random_dense(rng, 20, width, by_rows=False),
            ),
        )
        if stateless
        else LstmPredictor(
            embedding, (random_lstm(rng, embedded, 20), random_dense(rng, 20, width, by_rows=False))
        ),
        TrainedJoiner(Grid(np.float32(0.05), 2), random_dense(rng, width, symbols)),
    )


# --- as files -------------------------------------------------------------------------------------
TOKENS = ("<blk>", " ", *"abcdefg")


def small_frontend(bins: int = 12) -> dict[str, Any]:
    """The zoo's front end with so many bins and no stacking, for `random_trained`."""
    config = load_model("commands_rnnt").config
    assert config is not None
    front = config.frontend.model_dump(mode="json")
    few = {name: front[name][:bins] for name in ("mean", "std")}
    return front | few | {"stack": 1, "stack_hop": 1, "mel": front["mel"] | {"bins": bins}}


def written(trained: TrainedTransducer, folder: Path) -> Model:
    """A random transducer in a new folder."""
    return write_transducer(folder, trained, TOKENS, small_frontend(), "random", {"seeded": True})


def random_call(rng: np.random.Generator, trained: TrainedTransducer) -> tuple[np.ndarray, int]:
    """Features (1, frames, width) of an encoder call, and a symbol."""
    first = trained.encoder[0]
    assert not isinstance(first, TimeStack)
    features = rng.integers(-128, 128, (1, trained.frames_per_call, first.inputs))
    return features.astype(np.int8), int(rng.integers(trained.symbols))
