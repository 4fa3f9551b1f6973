"""The zoo's weights as floats, written again: the integers that TensorFlow's converter wrote."""

import json
from dataclasses import replace

import numpy as np
import pytest

from compiler import load_model
from compiler.reference import search_of
from compiler.train.export import TrainedLstm, write_transducer
from compiler.train.export.reading import trained_of
from npu.model.recording import Recording
from npu.model.references import operator_inputs, operator_outputs, renumbered


@pytest.fixture(scope="module")
def theirs(zoo):
    return load_model(zoo / "commands_rnnt")


@pytest.fixture(scope="module")
def written(zoo, theirs, tmp_path_factory):
    """Writes a network as the zoo's transducer; gives it as it is read."""
    config = json.loads((zoo / "commands_rnnt" / "model.json").read_text())

    def write(trained):
        return write_transducer(
            tmp_path_factory.mktemp("export") / "again",
            trained,
            theirs.tokens.symbols,
            config["frontend"],
            "commands-rnnt",
            config["provenance"],
        )

    return write


@pytest.fixture(scope="module")
def ours(theirs, written):
    return written(trained_of(theirs))


def assert_same(theirs, ours) -> int:
    """Same operators, tensors, integers and scales in all graphs. Returns constants compared."""
    constants = 0
    for role, left in theirs.graphs.items():
        right = ours.graphs[role]
        for a, b in zip(left.operators, right.operators, strict=True):
            assert replace(renumbered(a, lambda _: 0), name=b.name) == renumbered(b, lambda _: 0)
        for x, y in zip(_named(left), _named(right), strict=True):
            assert (x.shape, x.dtype, x.is_state) == (y.shape, y.dtype, y.is_state)
            assert (x.quantization is None) == (y.quantization is None)
            assert x.quantization is None or x.quantization.same_as(y.quantization), x.name
            np.testing.assert_array_equal(x.data, y.data)
            constants += 0 if x.data is None else x.size
    return constants


def _named(graph):
    indices = [i for op in graph.operators for i in (*operator_inputs(op), *operator_outputs(op))]
    return [graph.tensors[i] for i in [*graph.inputs, *indices, *graph.outputs]]


def test_the_integers_are_the_same(theirs, ours):
    # PyTorch counts two biases in each of four gates, which are one here.
    second = 4 * sum(each.units for each in _lstms(trained_of(theirs)))
    parameters = theirs.config.provenance["parameters"]
    assert assert_same(theirs, ours) + second == parameters


def _lstms(trained):
    layers = (*trained.encoder, *trained.predictor.layers)
    return [each for each in layers if isinstance(each, TrainedLstm)]


def test_configuration_and_symbols_are_the_same(theirs, ours):
    assert theirs.config.model_copy(update={"encoder": ours.config.encoder}) == ours.config
    assert theirs.tokens == ours.tokens


@pytest.mark.parametrize("planted", ["weight", "step", "clip"])
def test_a_difference_is_seen(theirs, written, planted):
    """A weight of one step more, a step of one bit more, another clip."""
    changed = trained_of(theirs)
    lstm = changed.encoder[0]
    weights, steps, clip = lstm.input_weights.copy(), lstm.input_steps.copy(), lstm.cell_clip
    if planted == "weight":
        weights[2, 3, 4] += steps[2]
    elif planted == "step":
        steps[1] = np.nextafter(steps[1], np.float32(1))
    else:
        clip = 9.0
    layer = replace(lstm, input_weights=weights, input_steps=steps, cell_clip=clip)
    model = written(replace(changed, encoder=(layer, *changed.encoder[1:])))
    with pytest.raises(AssertionError):
        assert_same(theirs, model)


def test_the_recorded_utterances(zoo, ours):
    saw = Recording()
    search = search_of(ours, saw)
    for path in sorted((zoo / "commands_rnnt" / "utterances").glob("*.npz")):
        saw.clear()
        search.reset()
        with np.load(path) as recorded:
            assert search.accept(recorded["features"]) == recorded["tokens"].tolist()
            for name, vectors in saw.vectors.items():
                np.testing.assert_array_equal(np.array(vectors), recorded[name])
