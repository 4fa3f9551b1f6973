"""A trained transducer in floats as a folder of ONNX that `npu quantize` takes:

python -m compiler.train.sherpa.plain MODEL FOLDER

encoder : `x` (1, frames, features), the features of `model.json`, and of each recurrent layer `h0`
    and `c0` (1, 1, units); `encoder_out` (1, width), `next_h0` and `next_c0`.
decoder : `y` (1, 1) a symbol, and its states; `decoder_out` (1, width).
joiner : both (1, width); `logit` (1, symbols).
"""

import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from compiler.frontends.models import load_model
from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.train.export.checks import check
from compiler.train.export.network import LstmPredictor, TrainedTransducer
from compiler.train.export.reading import trained_of
from compiler.train.export.simulate import Features
from compiler.train.sherpa.graph import Graph, dense, run_layers
from npu.errors import ModelError
from npu.files import write_folder

_Layers = Sequence[TrainedLstm | TrainedDense | TimeStack]


def write_plain(folder: str | Path, trained: TrainedTransducer, tokens: Sequence[str]) -> None:
    """Write encoder, decoder, joiner and tokens.txt into a folder; it is made if it is not there.

    tokens : the symbols by id, as a `tokens.txt` names them.

    Raises ModelError where parts of the network do not fit together, and for a predictor without a
    recurrent layer; NpuError where the folder cannot be written.
    """
    check(trained)
    if not isinstance(trained.predictor, LstmPredictor):
        raise ModelError("the predictor has no LSTM layer; this form takes one with states")
    files = {
        "encoder.onnx": _encoder(trained),
        "decoder.onnx": _decoder(trained),
        "joiner.onnx": _joiner(trained),
        "tokens.txt": "".join(f"{each} {n}\n" for n, each in enumerate(tokens)).encode(),
    }
    write_folder(Path(folder), files)


def _encoder(trained: TrainedTransducer) -> bytes:
    g = Graph("encoder")
    x = g.input("x", Features.of(trained).shape)
    out = _through(g, trained.encoder, g.one("Transpose", x, perm=[1, 0, 2]))
    return _answered(g, "encoder_out", out, trained)


def _decoder(trained: TrainedTransducer) -> bytes:
    g = Graph("decoder")
    symbol = g.input("y", (1, 1), "int64")
    embedded = g.one("Gather", g.constant(trained.predictor.embedding.table), symbol)
    out = _through(g, trained.predictor.layers, embedded)
    return _answered(g, "decoder_out", out, trained)


def _joiner(trained: TrainedTransducer) -> bytes:
    g, layer = Graph("joiner"), trained.joiner.output
    both = [g.input(f"{side}_out", (1, layer.inputs)) for side in ("encoder", "decoder")]
    logits = dense(g, layer, g.one("Tanh", g.one("Add", *both)))
    g.output("logit", logits, (1, layer.rows))
    return g.written({})


def _answered(g: Graph, name: str, out: str, trained: TrainedTransducer) -> bytes:
    shape = (1, trained.joiner.output.inputs)
    g.output(name, g.reshaped(out, *shape), shape)
    return g.written({})


def _through(g: Graph, layers: _Layers, here: str) -> str:
    """Layers on (frames, 1, width), each recurrent one with states of its own."""
    numbers = count()
    for layer in layers:
        if not isinstance(layer, TrainedLstm):
            here = run_layers(g, [layer], here)[0]
            continue
        n, shape = next(numbers), (1, 1, layer.units)
        states = [g.input(f"{name}{n}", shape) for name in "hc"]
        here, *ended = run_layers(g, [layer], here, *states)
        for name, value in zip("hc", ended, strict=True):
            g.output(f"next_{name}{n}", value, shape)
    return here


def main(arguments: Sequence[str]) -> None:
    """Write the floats of a model."""
    model, folder = arguments
    loaded = load_model(model)
    trained = trained_of(loaded)
    assert loaded.tokens is not None, "trained_of takes no other"
    names = ["<blk>", *("<space>" if each == " " else each for each in loaded.tokens.symbols[1:])]
    write_plain(folder, trained, names)


if __name__ == "__main__":
    main(sys.argv[1:])
