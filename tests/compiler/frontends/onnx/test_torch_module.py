"""Modules of PyTorch as integers: what they lose, state included, and what is refused."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

import npu
from npu.errors import ModelError, UnsupportedError
from tests.float_models import (
    ConformerConvolution,
    First,
    Formula,
    SelfAttention,
    SqueezeExcite,
    Streaming,
    answers,
    decibels,
)

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
CALLS = 24
MODULES = {
    "dense": (lambda: nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 9)), (1, 20)),
    "silu": (lambda: nn.Sequential(nn.Linear(20, 32), nn.SiLU(), nn.Linear(32, 9)), (1, 20)),
    "gelu": (lambda: nn.Sequential(nn.Linear(20, 32), nn.GELU(), nn.Linear(32, 9)), (1, 20)),
    "conv1d": (
        lambda: nn.Sequential(
            nn.Conv1d(8, 16, 3, padding=1),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Conv1d(16, 16, 5, groups=16, padding=2),
            nn.Conv1d(16, 16, 3, groups=4),
        ),
        (1, 8, 20),
    ),
    "conv2d": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.ReLU6(),
            nn.Conv2d(8, 16, (3, 2), padding=(1, 0), groups=8),
            nn.AvgPool2d(2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, 5),
        ),
        (1, 3, 16, 16),
    ),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose1d(8, 4, 4, stride=2, padding=1), nn.Tanh()),
        (1, 8, 10),
    ),
    "pools": (
        lambda: nn.Sequential(nn.Conv1d(8, 8, 3), nn.MaxPool1d(2), nn.LeakyReLU(), nn.Hardswish()),
        (1, 8, 12),
    ),
    "group norm": (lambda: nn.Sequential(nn.Conv1d(8, 8, 3), nn.GroupNorm(2, 8)), (1, 8, 12)),
    "attention": (lambda: SelfAttention(32, 4), (1, 6, 32)),
    "causal attention": (
        lambda: Formula(
            lambda x: (
                torch.softmax(
                    x @ x.transpose(1, 2) / 4
                    + torch.triu(torch.full((6, 6), float("-inf")), diagonal=1),
                    -1,
                )
                @ x
            )
        ),
        (1, 6, 16),
    ),
    "transformer": (
        lambda: nn.TransformerEncoderLayer(
            32, 4, 64, batch_first=True, norm_first=True, activation="gelu"
        ),
        (1, 6, 32),
    ),
    "conformer": (lambda: ConformerConvolution(16, 7), (1, 12, 16)),
    "squeeze": (lambda: SqueezeExcite(8), (1, 8, 12)),
    "both ways": (
        lambda: First(nn.LSTM(16, 12, bidirectional=True, batch_first=True)),
        (1, 4, 16),
    ),
    "gru": (lambda: First(nn.GRU(16, 12, batch_first=True)), (1, 4, 16)),
    "rnn": (lambda: First(nn.RNN(16, 12, nonlinearity="relu", batch_first=True)), (1, 4, 16)),
    "root mean square": (
        lambda: Formula(lambda x: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)),
        (1, 8, 12),
    ),
    "unit length": (lambda: Formula(lambda x: nn.functional.normalize(x, dim=-1)), (1, 8, 12)),
    "softmax": (lambda: nn.Sequential(nn.Linear(16, 8), nn.Softmax(-1)), (1, 16)),
    "projected lstm": (
        lambda: First(nn.LSTM(16, 12, 2, batch_first=True, proj_size=8, bidirectional=True)),
        (1, 4, 16),
    ),
    "einsum": (
        lambda: Formula(lambda x: torch.einsum("bqd,bkd->bqk", x, torch.tanh(x))),
        (1, 12, 16),
    ),
    "pixel shuffle": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.PixelShuffle(2), nn.PixelUnshuffle(4), nn.Mish()
        ),
        (1, 3, 8, 8),
    ),
    "softplus": (
        lambda: nn.Sequential(nn.Linear(20, 32), nn.Softplus(), nn.Linear(32, 9)),
        (1, 20),
    ),
    "mish": (lambda: nn.Sequential(nn.Linear(20, 32), nn.Mish(), nn.Linear(32, 9)), (1, 20)),
    "swoosh": (
        lambda: Formula(lambda x: torch.log(1 + torch.exp(x - 1)) - 0.08 * x - 0.313261687),
        (1, 20),
    ),
    "log of energies": (
        lambda: Formula(lambda x: torch.log((x * x).sum(-1, keepdim=True) + 0.1)),
        (1, 8, 12),
    ),
    "share of the sum": (
        lambda: Formula(lambda x: x.abs() / (x.abs().sum(-1, keepdim=True) + 0.1)),
        (1, 8, 12),
    ),
    "the larger ones": (lambda: Formula(lambda x: torch.where(x > 0, x, -0.25 * x)), (1, 20)),
    "kept below a mean": (
        lambda: Formula(lambda x: torch.minimum(x, x.mean(-1, keepdim=True) + 0.5)),
        (1, 8, 12),
    ),
    "whole windows": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, 1, dilation=2)
        ),
        (1, 3, 13, 13),
    ),
    "twice as large": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2, mode="bilinear")),
        (1, 3, 9, 9),
    ),
}
LEAST = {"attention": 29, "transformer": 35, "gru": 35, "both ways": 34}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_loses_little(name):
    torch.manual_seed(5)
    make, shape = MODULES[name]
    module = make().eval()
    x = np.random.default_rng(5).normal(size=(CALLS, *shape)).astype(np.float32)
    with torch.no_grad():
        wanted = np.array([module(torch.from_numpy(call)).numpy().ravel() for call in x])
    model = npu.from_torch(module, torch.from_numpy(x[0]), calibrate=x)
    assert decibels(wanted, answers(model, x)) > LEAST.get(name, 32)


@pytest.mark.parametrize(
    ("kind", "normalised", "least"),
    [(nn.LSTM, False, 34), (nn.LSTM, True, 32), (nn.GRU, False, 36), (nn.GRU, True, 32)],
)
@pytest.mark.parametrize("steps", [1, 3])
def test_states_are_the_chips_own(kind, normalised, least, steps):
    torch.manual_seed(7)
    module = Streaming(kind, 2, normalised).eval()
    x = np.random.default_rng(7).normal(size=(60, 1, steps, 20)).astype(np.float32)
    wanted, states = [], module.zeros()
    with torch.no_grad():
        for call in x:
            output, *states = module(torch.from_numpy(call), *states)
            wanted.append(output.numpy().ravel())
    model = npu.from_torch(module, (torch.from_numpy(x[0]), *module.zeros()), calibrate=x)
    graph = model.graphs["main"]
    assert (len(graph.inputs), len(graph.outputs)) == (1, 1)
    assert decibels(np.array(wanted), answers(model, x)) > least
    # Without what came before, the answer is another one.
    assert decibels(np.array(wanted)[-1:], answers(model, x[-1:])) < 20


def test_symbols_stay_integers(tmp_path):
    torch.manual_seed(1)
    module = nn.Sequential(nn.Embedding(50, 16), nn.Linear(16, 8)).eval()
    symbols = np.random.default_rng(1).permutation(50).reshape(50, 1, 1)
    place = tmp_path / "m.tflite"
    model = npu.from_torch(module, torch.from_numpy(symbols[0]), calibrate=symbols, output=place)
    assert model.graphs["main"].tensors[model.graphs["main"].inputs[0]].dtype == "int32"
    with torch.no_grad():
        wanted = module(torch.from_numpy(symbols)).numpy().reshape(50, -1)
    assert decibels(wanted, answers(model, list(symbols))) > 35
    again = npu.load(place)
    np.testing.assert_array_equal(answers(again, list(symbols)), answers(model, list(symbols)))


def test_states_of_a_projected_lstm_are_carried():
    """Against PyTorch's own LSTM over all calls, of weights that move it."""

    class Projected(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(16, 24, 2, batch_first=True, proj_size=12)

        def forward(self, x, h, c):
            y, (h, c) = self.lstm(x, (h, c))
            return y, h, c

    torch.manual_seed(3)
    module = Projected().eval()
    for weights in module.parameters():
        weights.data.mul_(2.5)
    x = np.random.default_rng(3).normal(size=(100, 1, 2, 16)).astype(np.float32)
    begun = (torch.zeros(2, 1, 12), torch.zeros(2, 1, 24))
    states, wanted = begun, []
    with torch.no_grad():
        for call in x:
            y, *states = module(torch.from_numpy(call), *states)
            wanted.append(y.numpy().ravel())
    model = npu.from_torch(module, (torch.from_numpy(x[0]), *begun), calibrate=x)
    assert "forward" not in vars(module.lstm)
    assert decibels(np.array(wanted), answers(model, x)) > 20


def test_exporters_are_not_heard(capfd, caplog):
    """Where the older one fails, it writes the whole graph to the standard output."""
    module = nn.MultiheadAttention(16, 2, batch_first=True).eval()

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, x):
            return self.inner(x, x, x, need_weights=False)[0]

    x = np.random.default_rng(4).normal(size=(8, 1, 4, 16)).astype(np.float32)
    npu.from_torch(Attention(), torch.from_numpy(x[0]), calibrate=x)
    heard = capfd.readouterr()
    assert (heard.out, heard.err) == ("", "")
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    print("still heard")
    assert capfd.readouterr().out == "still heard\n"


def test_training_mode_is_as_it_was():
    module = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train()
    x = np.random.default_rng(0).normal(size=(8, 1, 4)).astype(np.float32)
    npu.from_torch(module, torch.from_numpy(x[0]), calibrate=x)
    assert module.training


@pytest.mark.parametrize(
    ("module", "calibrate", "error", "words"),
    [
        (
            Formula(lambda x: torch.topk(x, 2)[0]),
            np.ones((4, 1, 3), "f4"),
            UnsupportedError,
            "TopK.*has no form",
        ),
        (
            Formula(lambda x: {"logits": x}),
            np.ones((4, 1, 3), "f4"),
            ModelError,
            "Formula: it gives a dict; tensors and tuples of them are run: wrap the module",
        ),
        (nn.Linear(3, 2), np.ones((4, 1, 5), "f4"), ModelError, r"takes \[1, 3\].*\[1, 5\] a call"),
        (nn.Linear(3, 2), np.full((4, 1, 3), np.nan, "f4"), ModelError, "has nan at.*finite"),
        (nn.Linear(3, 2), np.ones((0, 1, 3), "f4"), ModelError, "has no calls"),
        (nn.Linear(4, 2), np.ones((4, 1, 3), "f4"), ModelError, "does not run on the example"),
        (
            Formula(lambda x: x / x.sum()),
            np.linspace(-1, 1, 12, dtype="f4").reshape(4, 1, 3),
            UnsupportedError,
            "its divisor was .* and passes 0",
        ),
        (
            Formula(lambda x: x * 1e30 * 1e30),
            np.ones((4, 1, 3), "f4"),
            ModelError,
            "becomes inf on the calibration data",
        ),
        (
            Formula(lambda x: x[x > 0]),
            np.ones((4, 1, 3), "f4"),
            UnsupportedError,
            "node.*(Greater|NonZero)",
        ),
    ],
)
def test_what_is_refused_is_told(module, calibrate, error, words):
    with pytest.raises(error, match=words):
        npu.from_torch(module, torch.ones(1, 3), calibrate=calibrate)
