"""What is read back from the files is the integers that were meant."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.train.export import TrainedDense, TrainedLstm
from npu.model.operators.gather import Gather
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.variable import AssignVariable, ReadVariable
from tests.trained_transducers import random_trained, written


def meant(weights, steps) -> np.ndarray:
    """Of a matrix (rows, columns), element by element."""
    rows = np.broadcast_to(steps, len(weights))
    pairs = [[w / step for w in row] for row, step in zip(weights, rows, strict=True)]
    return np.array([[max(-127, min(127, round(float(q)))) for q in row] for row in pairs])


def assert_as_meant(graph, op, layer, source_scale) -> None:
    def tensor(index):
        return graph.tensors[index]

    if isinstance(layer, TrainedDense):
        matrices = [(op.weights, layer.weights, layer.steps)]
        biases = [] if layer.bias is None else [(op.bias, layer.bias, layer.steps)]
        assert (op.bias is None) == (layer.bias is None)
        output = tensor(op.output)
        grid = layer.output
    else:
        matrices = list(zip(op.input_weights, layer.input_weights, layer.input_steps, strict=True))
        matrices += zip(
            op.recurrent_weights, layer.recurrent_weights, layer.recurrent_steps, strict=True
        )
        biases = zip(op.biases, layer.bias, layer.input_steps, strict=True)
        output = tensor(op.hidden_state)
        grid = layer.hidden
        assert tensor(op.cell_state).quantization.scale == 2.0**layer.cell_exponent
    for index, weights, steps in matrices:
        np.testing.assert_array_equal(tensor(index).data, meant(weights, steps))
        np.testing.assert_array_equal(tensor(index).quantization.scale, np.atleast_1d(steps))
        assert np.count_nonzero(tensor(index).data) <= np.count_nonzero(weights)
    for index, bias, steps in biases:
        exact = bias.astype(np.float64) / np.float64(source_scale) / steps
        assert np.max(np.abs(tensor(index).data - exact)) <= 0.51
    assert output.quantization.scale == grid.scale
    assert output.quantization.zero_point == grid.zero_point


@pytest.mark.parametrize("stateless", [False, True])
def test_integers(tmp_path, stateless):
    trained = random_trained(5, stateless)
    model = written(trained, tmp_path / "m")
    chains = {
        "encoder": (trained.features, trained.encoder),
        "decoder": (trained.predictor.embedding.grid, trained.predictor.layers),
    }
    for role, (grid, layers) in chains.items():
        graph = model.graphs[role]
        operators = [op for op in graph.operators if isinstance(op, Lstm | FullyConnected)]
        layers = [each for each in layers if isinstance(each, TrainedLstm | TrainedDense)]
        for op, layer in zip(operators, layers, strict=True):
            assert_as_meant(graph, op, layer, grid.scale)
            grid = layer.output if isinstance(layer, TrainedDense) else layer.hidden


def test_the_stateless_predictor(tmp_path):
    graph = written(random_trained(5, True), tmp_path / "m").graphs["decoder"]
    kinds = [type(op) for op in graph.operators]
    # The two halves of the concatenation are moved between reading and writing.
    assert kinds[:2] == [Gather, ReadVariable]
    assert kinds[-3:] == [AssignVariable, FullyConnected, FullyConnected]
    (state,) = [t for t in graph.tensors if t.is_state]
    assert (state.shape, state.quantization.zero_point, state.initial) == ((1, 1, 10), -3, None)


def test_few_values_stay_few(tmp_path):
    """Weights of a code book of 15 values are 15 integers, zero among them."""
    trained = random_trained(6, False)
    lstm = trained.encoder[0]
    book = np.array([-7, -5.5, -4, -3, -2.2, -1, -0.4, 0, 0.4, 1, 2, 3, 4, 5, 7], np.float32) / 9
    nearest = np.abs(lstm.input_weights[..., np.newaxis] - book).argmin(-1)
    steps = np.full(4, 7 / 9 / 127, np.float32)
    coded = replace(lstm, input_weights=book[nearest], input_steps=steps)
    model = written(replace(trained, encoder=(coded, *trained.encoder[1:])), tmp_path / "m")
    graph = model.graphs["encoder"]
    data = [graph.tensors[index].data for index in graph.operators[0].input_weights]
    values = np.unique(np.concatenate(data))
    assert len(values) == 15 and 0 in values and values[-1] == 127
    assert sum(map(np.count_nonzero, data)) == np.count_nonzero(coded.input_weights)
