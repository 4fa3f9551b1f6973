"""Greedy search over the zoo's transducer: every recorded utterance, every element."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Transducer
from npu import zoo as model_zoo
from npu.errors import InputError, ModelError
from npu.model.graph import Graph, Quantization
from npu.model.recording import Recording
from npu.speech.search import GreedySearch, SearchRules

FOLDER = model_zoo.path("commands_rnnt")
RULES = SearchRules(blank=0, start=0, max_symbols_per_frame=6)
UTTERANCES = sorted(p.stem for p in (FOLDER / "utterances").glob("*.npz"))


@pytest.fixture(scope="module")
def graphs():
    return [read_tflite(FOLDER / f"{name}.tflite") for name in ("encoder", "decoder", "joiner")]


@pytest.fixture(scope="module")
def recording():
    return Recording()


@pytest.fixture(scope="module")
def search(graphs, recording):
    return GreedySearch(Transducer(*graphs, recording), RULES)


def test_there_are_thirteen():
    assert len(UTTERANCES) == 13


@pytest.mark.parametrize("name", UTTERANCES)
def test_utterance(search, recording, name):
    recording.clear()
    search.reset()
    with np.load(FOLDER / "utterances" / f"{name}.npz") as expected:
        tokens = search.accept(expected["features"])
        for key, vectors in recording.vectors.items():
            np.testing.assert_array_equal(np.array(vectors), expected[key])
        assert list(recording.vectors) == ["encoder_out", "logits"]
        np.testing.assert_array_equal(tokens, expected["tokens"])


def test_streaming_in_pieces(search):
    with np.load(FOLDER / "utterances" / f"{UTTERANCES[0]}.npz") as expected:
        search.reset()
        pieces = [search.accept(piece[np.newaxis]) for piece in expected["features"]]
        assert [t for piece in pieces for t in piece] == expected["tokens"].tolist()
        assert search.accept(expected["features"][:0]) == []


def test_wrong_features(search):
    with pytest.raises(InputError, match=r"features must be int8 \(calls, 2, 120\), not int8"):
        search.accept(np.zeros((1, 2, 119), np.int8))


def test_wrong_symbols(graphs):
    with pytest.raises(ModelError, match="blank must be a symbol of 0 to 27, not 28"):
        GreedySearch(Transducer(*graphs), SearchRules(28, 0, 6))
    with pytest.raises(ModelError, match="max_symbols_per_frame must be at least 1, not 0"):
        GreedySearch(Transducer(*graphs), SearchRules(0, 0, 0))


def test_wrong_order_of_graphs(graphs):
    with pytest.raises(ModelError, match="it must have inputs of type int8 and one output"):
        Transducer(graphs[1], graphs[0], graphs[2])


def with_quantization(graph: Graph, index: int, quantization: Quantization) -> Graph:
    tensors = list(graph.tensors)
    tensors[index] = replace(tensors[index], quantization=quantization)
    return replace(graph, tensors=tuple(tensors))


def test_a_border_between_scales_is_rescaled(graphs):
    """Twice the scale on the joiner's side: the search must halve what crosses."""
    encoder, decoder, joiner = graphs
    index = joiner.inputs[0]
    quantization = joiner.tensors[index].quantization
    wider = Quantization(quantization.scale * np.float32(2), 5)
    joiner = with_quantization(joiner, index, wider)
    plain = Transducer(*graphs)
    crossed = Transducer(encoder, decoder, joiner)
    values = np.arange(-128, 128, dtype=np.int8)[:128].reshape(1, 1, 128)
    (found,) = crossed._from_encoder.cross(values)
    exact = (values.astype(int) - quantization.zero_point) / 2 + 5
    assert np.max(np.abs(found.astype(int) - exact)) <= 0.5
    (same,) = plain._from_encoder.cross(values)
    np.testing.assert_array_equal(same, values)


def test_zoo():
    assert model_zoo.names() == ["commands", "commands_ending", "commands_rnnt"]
    with pytest.raises(
        ModelError, match="the zoo has no model 'none'; it has: commands, commands_ending, c"
    ):
        model_zoo.path("none")
