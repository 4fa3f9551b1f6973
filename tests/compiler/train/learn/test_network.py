"""What the predictor is told in training, and what it is told in use."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from compiler.train.learn.network import Transducer  # noqa: E402
from compiler.train.symbols import BLANK, END, SPACE, SYMBOLS, symbols_of  # noqa: E402
from tests.compiler.train import toy  # noqa: E402


def test_an_end_found_too_early_is_learnt_as_a_space():
    network = Transducer(toy.recipe(network={"mistaken": 1.0}).network, 40, len(SYMBOLS))
    symbols, _, _ = symbols_of("ab c", [(0, 1), (1, 2)])
    told = torch.tensor([[BLANK, *symbols]])
    early = told.masked_fill(told == SPACE, END)
    assert END in early
    used = {mode: network.train(mode).predict(told) for mode in (True, False)}
    with_end = network.eval().predict(early)
    assert torch.allclose(used[True], with_end, atol=1e-6)
    assert not torch.allclose(used[False], with_end, atol=1e-3)
