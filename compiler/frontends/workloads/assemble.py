"""A workload's three graphs, with the configuration and the symbols of a transducer."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.workloads.graphs import STEP, GraphBuilder, Value
from compiler.frontends.workloads.layers import Layers, network
from compiler.frontends.workloads.weights import RandomWeights
from npu.model.config import ModelConfig
from npu.model.graph import Graph
from npu.model.operators.gather import Gather
from npu.model.tokens import Tokens

RATE_HZ, HOP = 16_000, 160
FFT_LENGTH = 512
# Log mel powers of speech, about; a network of random weights knows no better ones.
MEAN, STD = -14.0, 3.0

BLANK_AHEAD = 3.0
"""How far the blank's logit is ahead of the others, whose spread is about 1: so a network that has
learnt nothing emits symbols in some frames, not in all."""

LETTERS = (" ", *"abcdefghijklmnopqrstuvwxyz", "'")


@dataclass(frozen=True, eq=False)
class Parts:
    """What makes a transducer.

    Attributes
    ----------
    graphs : "encoder", "decoder" and "joiner".
    sources : SHA-256 of everything in each graph, by its name.
    """

    graphs: dict[str, Graph]
    config: ModelConfig
    tokens: Tokens
    sources: dict[str, str]


def assemble(name: str, sizes: Mapping[str, Any], weights: RandomWeights) -> Parts:
    """Build a transducer; the same weights give the same graphs.

    name : with which its graphs are called. sizes : as an entry of `workloads.json`.
    """
    features, frames = sizes["features"], sizes["frames_per_call"]
    width = features["bins"] * features["stack"]
    encoder = GraphBuilder(f"{name} encoder", weights)
    heard = encoder.value((1, frames, width))
    encoded = network(encoder, heard, sizes["encoder"])
    (_, symbols, embedded), *layers = sizes["decoder"]
    decoder = GraphBuilder(f"{name} decoder", weights)
    symbol = Value(decoder.tensor((1, 1), None, "int32"), (1, 1))
    decoded = network(decoder, _embedding(decoder, symbol, symbols, embedded), layers)
    joiner = GraphBuilder(f"{name} joiner", weights)
    ends = (
        joiner.value((1, 1, encoded.width), encoder.scale(encoded), encoded.rms),
        joiner.value((1, 1, decoded.width), decoder.scale(decoded), decoded.rms),
    )
    logits = _joint(joiner, ends, sizes["joiner"])
    graphs = {
        "encoder": encoder.graph([heard], encoded),
        "decoder": decoder.graph([symbol], decoded),
        "joiner": joiner.graph(ends, logits),
    }
    sources = {graph.name: _digest(graph) for graph in graphs.values()}
    return Parts(graphs, _config(name, sizes), Tokens(_symbols(symbols)), sources)


def _embedding(b: GraphBuilder, symbol: Value, symbols: int, width: int) -> Value:
    """A row of a table, which has no zeros: nobody prunes one, and it is picked, not multiplied."""
    table = b.tensor(
        (symbols, width), STEP, data=RandomWeights(0.0, b.weights.seed).matrix((symbols, width))
    )
    made = b.value((1, 1, width))
    b.append(Gather(b.named("embedding"), table, symbol.index, made.index))
    return made


def _joint(b: GraphBuilder, ends: tuple[Value, Value], layers: Layers) -> Value:
    (kind, *sizes), *inner, (_, _, symbols) = layers
    if kind == "sum":
        *_, width = sizes
        heard, said = (b.linear(end, width) for end in ends)
        joint = b.add(heard, said)
    else:
        joint = b.joined([b.rescaled(end, STEP) for end in ends], 2)
    hidden = network(b, joint, inner)
    weighted = b.weighted(hidden, symbols, BLANK_AHEAD)
    return b.product(hidden, weighted, name="logits")


def _digest(graph: Graph) -> str:
    digest = hashlib.sha256(repr((graph.operators, graph.inputs, graph.outputs)).encode())
    for tensor in graph.tensors:
        own = tensor.quantization
        meaning = None if own is None else (own.scale.tolist(), own.zero_point)
        digest.update(repr((tensor.shape, tensor.dtype, meaning)).encode())
        if tensor.data is not None:
            digest.update(np.ascontiguousarray(tensor.data).data)
    return digest.hexdigest()


def _symbols(count: int) -> tuple[str, ...]:
    """The blank, then letters, or numbers where there are more symbols than letters."""
    if count == 1 + len(LETTERS):
        return ("<blk>", *LETTERS)
    return ("<blk>", *(f" {number}" for number in range(1, count)))


def _config(name: str, sizes: Mapping[str, Any]) -> ModelConfig:
    features = sizes["features"]
    parts: Mapping[str, Any] = {
        role: {"file": role, "stateful": True} for role in ("encoder", "decoder")
    }
    return ModelConfig.model_validate(
        {
            "name": name,
            "type": "transducer",
            "blank_id": 0,
            "start_id": 0,
            "max_symbols_per_frame": sizes["max_symbols_per_frame"],
            "encoder": {**parts["encoder"], "frames_per_call": sizes["frames_per_call"]},
            "decoder": parts["decoder"],
            "joiner": {"file": "joiner", "inputs": ("encoder_out", "decoder_out")},
            "frontend": _frontend(features),
        }
    )


def _frontend(features: Mapping[str, int]) -> dict[str, Any]:
    bins = features["bins"]
    return {
        "sample_rate_hz": RATE_HZ,
        "preemphasis": 0.97,
        "preemphasis_first_sample": "kept as it is",
        "samples": "int16 / 32768",
        "window": "hann, symmetric (N-1 in the denominator)",
        "window_length": features["window"],
        "hop_length": HOP,
        "fft_length": FFT_LENGTH,
        "padding": "none: the first window starts at sample 0",
        "mel": {
            "bins": bins,
            "low_hz": 60.0,
            "high_hz": 7600.0,
            "scale": "2595*log10(1+hz/700)",
            "filters": "triangles with peak 1, evaluated at the FFT bin frequencies",
        },
        "power": "abs(rfft)^2 / sum(window)^2",
        "log": "natural log of (mel power + 1e-8)",
        "normalise": "(x - mean) / std, then clip to +-4",
        "mean": (MEAN,) * bins,
        "std": (STD,) * bins,
        "stack": features["stack"],
        "stack_hop": features["hop"],
        "tail": "feature frames that do not fill one encoder call are dropped",
        "quantise": "round half to even of x/scale, plus zero point, clipped to int8; scale and "
        "zero point of the encoder's input tensor",
    }
