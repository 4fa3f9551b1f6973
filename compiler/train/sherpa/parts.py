"""A trained transducer in floats as sherpa-onnx takes one: three graphs of ONNX and their symbols.

sherpa-onnx has these loops for transducers, among others:

    nemo    of NeMo's models that stream: a predictor with a state, several symbols in an encoder
            call, greedy
    whole   of NeMo's models that take whole utterances: the same, greedy or with a beam
    icefall of icefall's LSTM models that stream: a predictor of the last two symbols, one symbol in
            each of the frames that an encoder call gives, greedy or with a beam

An encoder begins with a head (`heads`), which makes our features of what sherpa-onnx makes of
samples. States of several layers lie side by side in one tensor. One stream is decoded at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from compiler.train.export.checks import check
from compiler.train.export.network import CONTEXT, StatelessPredictor, TrainedTransducer
from compiler.train.sherpa.graph import Graph, dense, run_layers, states_of
from compiler.train.sherpa.heads import Head
from npu.errors import ModelError
from npu.files import write_folder
from npu.model.tokens import WORD_MARK

Loop = Literal["nemo", "whole", "icefall"]
ENCODER, DECODER, JOINER, TOKENS = "encoder.onnx", "decoder.onnx", "joiner.onnx", "tokens.txt"


@dataclass(frozen=True)
class _Form:
    """What is written of.

    Attributes
    ----------
    trained, head : the network, and what stands before it.
    repeat : frames that an encoder call gives, all alike.
    """

    trained: TrainedTransducer
    head: Head
    repeat: int

    @property
    def width(self) -> int:
        return self.trained.joiner.output.inputs

    @property
    def units(self) -> int:
        """Of all recurrent layers of the encoder."""
        return sum(states_of(self.trained.encoder))


def write_onnx(
    folder: str | Path,
    trained: TrainedTransducer,
    tokens: Sequence[str],
    loop: Loop,
    head: Head,
    *,
    repeat: int = 1,
) -> None:
    """Write encoder, decoder, joiner and tokens.txt into a folder; it is made if it is not there.

    Parameters
    ----------
    tokens : the symbols by id, the blank first.
    loop : which of sherpa-onnx's loops it is for; `icefall` takes a stateless predictor.
    head : of the encoder.
    repeat : for `icefall`, how often each encoder output is given, at least 1. With greedy search
        as many symbols may come of it as in a loop that goes on until a blank: behind a blank the
        same output gives a blank again.

    Raises
    ------
    ModelError
        Parts of the network do not fit together, or the loop does not take them.
    NpuError
        The folder cannot be had or written.
    """
    check(trained)
    if len(tokens) != trained.symbols:
        raise ModelError(f"there are {len(tokens)} tokens for {trained.symbols} symbols")
    if not states_of(trained.encoder):
        raise ModelError("the encoder has no LSTM layer; sherpa-onnx's loops take one with states")
    form = _Form(trained, head, repeat)
    if loop != "icefall":
        files = {
            ENCODER: _nemo_encoder(form) if loop == "nemo" else _whole_encoder(form),
            DECODER: _nemo_decoder(trained),
            JOINER: _nemo_joiner(form),
            # The blank is the last symbol there.
            TOKENS: _tokens([*tokens[1:], "<blk>"]),
        }
    else:
        files = {
            ENCODER: _icefall_encoder(form),
            DECODER: _icefall_decoder(form),
            JOINER: _icefall_joiner(form),
            TOKENS: _tokens(tokens),
        }
    write_folder(Path(folder), files)


def written(token: str) -> str:
    """With U+2581 for a space: `<space>` would stand in sherpa-onnx's texts as it is."""
    return token.replace(" ", WORD_MARK)


def _tokens(tokens: Sequence[str]) -> bytes:
    return "".join(f"{written(token)} {n}\n" for n, token in enumerate(tokens)).encode()


def _encoded(g: Graph, form: _Form, sound: str, hidden: str, cell: str) -> tuple[str, str, str]:
    """What the encoder makes of frames of sherpa-onnx, (frames, bins): (calls, 1, width), and its
    states behind them.
    """
    features = form.head.features(g, sound, form.trained)
    return run_layers(g, form.trained.encoder, features, hidden, cell)


# --- NeMo's ---------------------------------------------------------------------------------------
def _nemo_encoder(form: _Form) -> bytes:
    g, head, shape = Graph("encoder"), form.head, (1, 1, 1, form.units)
    sound = g.input("audio_signal", (1, head.bins, head.frames(form.trained)))
    length = g.input("length", (1,), "int64")
    hidden = g.input("cache_last_channel", shape)
    cell = g.input("cache_last_time", shape)
    taken = g.input("cache_last_channel_len", (1,), "int64")
    frames = g.one("Squeeze", g.one("Transpose", sound, perm=[0, 2, 1]), g.constant([0]))
    states = [g.one("Squeeze", each, g.constant([0])) for each in (hidden, cell)]
    out, *ended = _encoded(g, form, frames, *states)
    g.output("outputs", g.reshaped(out, 1, form.width, 1), (1, form.width, 1))
    one = g.one("Add", g.one("Sub", length, length), g.constant([1]))
    g.output("encoded_lengths", one, (1,), "int64")
    for name, state in zip(("channel", "time"), ended, strict=True):
        g.output(f"cache_last_{name}_next", g.one("Unsqueeze", state, g.constant([0])), shape)
    g.output("cache_last_channel_len_next", taken, (1,), "int64")
    return g.written(
        {
            **_nemo_metadata(form),
            "window_size": head.frames(form.trained),
            "chunk_shift": head.frames(form.trained),
            **{f"cache_last_channel_dim{n}": size for n, size in enumerate(shape) if n},
            **{f"cache_last_time_dim{n}": size for n, size in enumerate(shape) if n},
        }
    )


def _whole_encoder(form: _Form) -> bytes:
    """Of all calls of an utterance at once; frames that fill none are left out."""
    g, head, each = Graph("encoder"), form.head, form.head.frames(form.trained)
    sound = g.input("audio_signal", (1, head.bins, "T"))
    length = g.input("length", (1,), "int64")
    frames = g.one("Squeeze", g.one("Transpose", sound, perm=[0, 2, 1]), g.constant([0]))
    calls = g.one("Div", length, g.constant([each]))
    taken = g.one("Mul", calls, g.constant([each]))
    whole = g.one("Slice", frames, g.constant([0]), taken, g.constant([0]))
    zeros = g.constant(np.zeros((1, 1, form.units)))
    out = _encoded(g, form, whole, zeros, zeros)[0]
    g.output("outputs", g.one("Transpose", out, perm=[1, 2, 0]), (1, form.width, "calls"))
    g.output("encoded_lengths", calls, (1,), "int64")
    return g.written(_nemo_metadata(form) | {"feat_dim": head.bins})


def _nemo_metadata(form: _Form) -> dict[str, Any]:
    predictor = form.trained.predictor
    stateless = isinstance(predictor, StatelessPredictor)
    width = predictor.embedding.table.shape[1]
    return {
        "vocab_size": form.trained.symbols - 1,  # the blank is not counted
        "subsampling_factor": form.head.frames(form.trained),
        "normalize_type": "NA",
        "pred_rnn_layers": 1,  # of which all states are
        "pred_hidden": width if stateless else sum(states_of(predictor.layers)),
    }


def _nemo_decoder(trained: TrainedTransducer) -> bytes:
    g, predictor = Graph("decoder"), trained.predictor
    table = np.roll(predictor.embedding.table, -1, axis=0)
    stateless = isinstance(predictor, StatelessPredictor)
    units = table.shape[1] if stateless else sum(states_of(predictor.layers))
    symbol = g.input("targets", (1, 1), "int32")
    length = g.input("target_length", (1,), "int32")
    hidden, cell = (g.input(f"states.{n}", (1, 1, units)) for n in (1, 2))
    embedded = g.one("Gather", g.constant(table), symbol, axis=0)
    if stateless:
        # Its state is the embedding of the symbol before; the second one is handed on.
        seen = g.one("Concat", hidden, embedded, axis=2)
        out, ended = run_layers(g, predictor.layers, seen)[0], (embedded, cell)
    else:
        out, *then = run_layers(g, predictor.layers, embedded, hidden, cell)
        ended = (then[0], then[1])
    width = trained.joiner.output.inputs
    g.output("outputs", g.reshaped(out, 1, width, 1), (1, width, 1))
    g.output("prednet_lengths", length, (1,), "int32")
    for n, state in enumerate(ended, 1):
        g.output(f"states.{n}_next", state, (1, 1, units))
    return g.written({})


def _nemo_joiner(form: _Form) -> bytes:
    g, output = Graph("joiner"), form.trained.joiner.output
    sides = [g.input(f"{name}_outputs", (1, form.width, 1)) for name in ("encoder", "decoder")]
    bent = g.one("Tanh", g.reshaped(g.one("Add", *sides), 1, form.width))
    logits = dense(g, output, bent)
    order = g.constant(np.roll(np.arange(output.rows), -1))
    g.output("outputs", g.one("Gather", logits, order, axis=1), (1, output.rows))
    return g.written({})


# --- icefall's ------------------------------------------------------------------------------------
def _icefall_encoder(form: _Form) -> bytes:
    g, frames, shape = Graph("encoder"), form.head.frames(form.trained), (1, 1, form.units)
    sound = g.input("x", (1, frames, form.head.bins))
    hidden, cell = (g.input(name, shape) for name in ("h", "c"))
    heard = g.one("Squeeze", sound, g.constant([0]))
    out, *ended = _encoded(g, form, heard, hidden, cell)
    many = g.one("Expand", out, g.constant([1, form.repeat, form.width]))
    g.output("encoder_out", many, (1, form.repeat, form.width))
    for name, state in zip(("next_h", "next_c"), ended, strict=True):
        g.output(name, state, shape)
    return g.written(
        {
            "model_type": "lstm",
            "version": 1,
            "model_author": "zeroskip",
            "num_encoder_layers": 1,  # of which all states are
            "T": frames,
            "decode_chunk_len": frames,
            "rnn_hidden_size": form.units,
            "d_model": form.units,
        }
    )


def _icefall_decoder(form: _Form) -> bytes:
    predictor = form.trained.predictor
    if not isinstance(predictor, StatelessPredictor):
        raise ModelError("icefall's loop takes a stateless predictor; this one is recurrent")
    g = Graph("decoder")
    symbols = g.input("y", ("N", CONTEXT), "int64")
    # Before the first symbol sherpa-onnx has -1, which is the last row: zeros, as ours.
    table, width = predictor.embedding.table, predictor.embedding.table.shape[1]
    rows = g.constant(np.concatenate([table, np.zeros((1, width), np.float32)]))
    embedded = g.reshaped(g.one("Gather", rows, symbols, axis=0), -1, 1, CONTEXT * width)
    out = run_layers(g, predictor.layers, embedded)[0]
    g.output("decoder_out", g.reshaped(out, -1, form.width), ("N", form.width))
    return g.written({"vocab_size": form.trained.symbols, "context_size": CONTEXT})


def _icefall_joiner(form: _Form) -> bytes:
    g, output = Graph("joiner"), form.trained.joiner.output
    sides = [g.input(f"{name}_out", ("N", form.width)) for name in ("encoder", "decoder")]
    bent = g.one("Tanh", g.one("Add", *sides))
    g.output("logit", dense(g, output, bent), ("N", output.rows))
    return g.written({"joiner_dim": form.width})
