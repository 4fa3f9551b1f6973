"""Random quantised transducers, each from one seed: small, and with borders between odd scales."""

from dataclasses import replace

import numpy as np

from compiler import Model, load_model
from npu.model.activation import Activation
from npu.model.graph import Graph, Quantization
from npu.model.operators.binary import Add
from npu.model.operators.product import FullyConnected
from npu.model.operators.table import Tanh
from npu.model.tokens import Tokens
from tests.random_graphs import GraphMaker


def random_transducer(rng: np.random.Generator, frames: int = 1) -> Model:
    """Encoder and decoder with a recurrent layer each, and a joiner of few symbols.

    frames : that an encoder call takes, and gives. The same `rng` makes the same layers of them.
    """
    symbols, width = int(rng.integers(2, 9)), int(rng.integers(2, 24))
    encoder = GraphMaker(rng)
    encoder.inputs.append(encoder.activation((1, frames, int(rng.integers(1, 20)))))
    encoder.lstm(encoder.live[-1])
    encoder.fully_connected(encoder.live[-1], width, frames)
    decoder = GraphMaker(rng)
    decoder.gather(symbols, 1)
    decoder.lstm(decoder.live[-1])
    decoder.fully_connected(decoder.live[-1], width)
    graphs = {
        "encoder": encoder.graph("enc", encoder.live[-1:]),
        "decoder": decoder.graph("dec", decoder.live[-1:]),
        "joiner": _joiner(rng, width, symbols),
    }
    zoo = load_model("commands_rnnt").config
    assert zoo is not None
    config = zoo.model_copy(
        update={
            "start_id": int(rng.integers(symbols)),
            "max_symbols_per_frame": int(rng.integers(1, 4)),
        }
    )
    tokens = Tokens(("<blk>", *(chr(ord("a") + i) for i in range(symbols - 1))))
    return Model("random", graphs, config, tokens, {})


def one_scale(scale: float) -> Quantization:
    """A quantisation around zero."""
    return Quantization(np.array([scale], np.float32), 0)


def _joiner(rng: np.random.Generator, width: int, symbols: int) -> Graph:
    joiner = GraphMaker(rng)
    joiner.inputs += [joiner.activation((1, width)), joiner.activation((1, width))]
    joiner.binary(joiner.inputs[0], Add)
    joiner.unary(joiner.live[-1], Tanh)
    # Weights and a scale of logits with which any symbol may win.
    data = rng.integers(-128, 128, (symbols, width)).astype(np.int8)
    weights = joiner.tensor((symbols, width), one_scale(0.01), data)
    output = joiner.activation((1, symbols), one_scale(0.006 * width**0.5))
    joiner.operators.append(
        FullyConnected("fc", joiner.live[-2], weights, None, output, Activation.NONE)
    )
    made = joiner.graph("join", joiner.live[-1:])
    # Of the two inputs, whatever the maker took twice.
    add = replace(made.operators[0], a=joiner.inputs[0], b=joiner.inputs[1])
    return replace(made, operators=(add, *made.operators[1:]))
