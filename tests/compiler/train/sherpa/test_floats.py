"""The network in floats, beside PyTorch's layers and beside the integers' scores."""

import numpy as np
import pytest

from compiler.train.export import TrainedDense, TrainedLstm
from compiler.train.sherpa.floats import FloatNetworks, FloatScorer
from npu.speech.scores import ONE, Scorer
from tests.trained_transducers import random_call, random_trained


def lstm_of(torch, layer: TrainedLstm):
    """PyTorch's layer, whose gates are in our order."""
    made = torch.nn.LSTM(layer.inputs, layer.units, dtype=torch.float64)
    parts = {
        "weight_ih_l0": layer.input_weights.reshape(-1, layer.inputs),
        "weight_hh_l0": layer.recurrent_weights.reshape(-1, layer.units),
        "bias_ih_l0": layer.bias.ravel(),
        "bias_hh_l0": np.zeros(4 * layer.units),
    }
    made.load_state_dict({name: torch.from_numpy(each) for name, each in parts.items()})
    return made


def test_layers_are_those_of_pytorch():
    torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
    trained = random_trained(3, stateless=False)
    networks, rng = FloatNetworks(trained), np.random.default_rng(4)
    calls = [random_call(rng, trained)[0] for _ in range(6)]
    found = [networks.encode(call)[0] for call in calls]

    values = torch.from_numpy(np.concatenate([trained.features.real(c[0]) for c in calls])).double()
    with torch.no_grad():
        for layer in trained.encoder:
            if isinstance(layer, TrainedLstm):
                values = lstm_of(torch, layer)(values)[0]
            elif isinstance(layer, TrainedDense):
                values = values @ torch.from_numpy(layer.weights).double().T
                values = values + torch.from_numpy(layer.bias)
            else:
                values = values.reshape(len(values) // layer.frames, -1)
    np.testing.assert_allclose(np.array(found), values.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("stateless", [False, True])
def test_a_state_goes_on_from_where_it_was(stateless):
    """`predict` is `predict_from` the last state, whatever was asked between."""
    networks = FloatNetworks(random_trained(5, stateless))
    symbols, state, found = [0, 3, 3, 7], None, []
    for symbol in symbols:
        _, other = networks.predict_from(state, 1)
        networks.predict_from(other, 2)
        out, state = networks.predict_from(state, symbol)
        found.append(out)
    for symbol, out in zip(symbols, found, strict=True):
        np.testing.assert_array_equal(networks.predict(symbol), out)
    assert not np.array_equal(found[1], found[2])
    networks.reset()
    np.testing.assert_array_equal(networks.predict(0), found[0])


@pytest.mark.parametrize(("penalty", "temperature"), [(0.0, 1.0), (2.0, 1.0), (-1.5, 0.7)])
def test_scores_are_those_of_the_integers(penalty, temperature):
    scale, rng = 0.125, np.random.default_rng(6)
    floats = FloatScorer(0, penalty, temperature)
    integers = Scorer(scale, 0, penalty, temperature)
    for _ in range(20):
        logits = rng.integers(-128, 128, 37).astype(np.int8)
        apart = floats(logits * scale) - integers(logits)
        assert np.abs(apart).max() < 1e-3 * ONE
