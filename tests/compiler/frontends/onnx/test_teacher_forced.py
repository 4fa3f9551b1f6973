"""All three parts of a transducer as integers, one behind the other, symbols given."""

import numpy as np
import pytest

from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.frontends.onnx.transducer import data_in, quantise_transducer
from kernels import Interpreter
from tests.conftest import ROOT
from tests.float_models import integers

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
FOLDER = ROOT / "tests" / "vectors" / "float"
SYMBOLS = 4
"""That every frame is joined with."""


def floats(part, arrays):
    """The first output, call by call, states carried."""
    graph = part.source.graph
    named = {name: np.asarray(a) for name, a in zip(graph.inputs, arrays, strict=True)}
    return [values[graph.outputs[0]] for values in run(graph, Samples(named))]


def whole(part, arrays):
    """The same in integers, as they are; what goes in is real, or integers of that grid."""
    kernels, found = Interpreter(part.graph), []
    given = [part.graph.tensors[at] for at in part.graph.inputs]
    for call in zip(*arrays, strict=True):
        fed = [
            x.reshape(t.shape) if x.dtype == np.int8 else integers(x, t)
            for x, t in zip(call, given, strict=True)
        ]
        found.append(kernels.invoke(fed)[0].copy())
    return found


@pytest.mark.parametrize("name", ["lstm_rnnt_small", "lstm_proj_rnnt"])
def test_the_likeliest_symbol_is_the_same(name):
    """Wherever the float logits differ by more than two steps, but for one in a hundred.

    Behind the joiner alone it is so always (`test_transducer`); here the noise of the encoder and
    that of the decoder are added to its own, and a margin of two steps is no more than that.
    """
    folder = FOLDER / name
    parts = quantise_transducer(folder, data_in(folder)).parts
    with np.load(folder / "frames.npz") as file:
        frames, heard = file["x"], file["encoder_out"]
    decoder, joiner = parts["decoder"], parts["joiner"]
    logits = joiner.graph.tensors[joiner.graph.outputs[0]]
    shape = decoder.source.graph.shapes[decoder.source.graph.inputs[0]]
    rng = np.random.default_rng(1)
    symbols = rng.integers(0, logits.shape[-1], (len(frames) * SYMBOLS, *shape))
    # PyTorch's own answers where the files were made.
    joined = [
        [each for each in heard for _ in range(SYMBOLS)],
        floats(decoder, [symbols]),
    ]
    wanted = np.reshape(floats(joiner, joined), (len(symbols), -1))
    spoken = [each for each in whole(parts["encoder"], [frames]) for _ in range(SYMBOLS)]
    found = np.reshape(whole(joiner, [spoken, whole(decoder, [symbols])]), wanted.shape)
    second, first = np.sort(wanted, axis=1)[:, -2:].T
    margins = (first - second) / float(logits.quantization.scale[0])
    compared = margins > 2
    others = margins[compared & (found.argmax(axis=1) != wanted.argmax(axis=1))]
    assert compared.sum() > 100 and len(others) <= compared.sum() / 100, others
    assert all(others < 4), others
