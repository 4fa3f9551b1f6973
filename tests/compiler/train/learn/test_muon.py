"""Muon beside PyTorch's, and in float32."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from compiler.train.learn.muon import Muon, fast_precision, orthogonal  # noqa: E402


def learnt(make, steps=4):
    torch.manual_seed(3)
    matrices = [torch.nn.Parameter(torch.randn(shape)) for shape in ((12, 7), (5, 9), (6, 6))]
    optimiser = make(matrices)
    for _ in range(steps):
        for each in matrices:
            each.grad = torch.randn(each.shape)
        optimiser.step()
    return [each.detach() for each in matrices]


def theirs(matrices):
    return torch.optim.Muon(matrices, lr=0.1, weight_decay=0.02, adjust_lr_fn="match_rms_adamw")


def test_the_steps_are_pytorchs():
    ours = learnt(lambda each: Muon(each, 0.1, 0.02, torch.bfloat16))
    for one, other in zip(ours, learnt(theirs), strict=True):
        assert torch.equal(one, other)


def test_in_float32_they_are_about_the_same():
    ours = learnt(lambda each: Muon(each, 0.1, 0.02, torch.float32))
    for one, other in zip(ours, learnt(theirs), strict=True):
        assert not torch.equal(one, other)
        torch.testing.assert_close(one, other, rtol=0, atol=0.01)


@pytest.mark.parametrize("shape", [(40, 9), (9, 40)])
def test_what_comes_out_is_about_orthogonal(shape):
    torch.manual_seed(1)
    found = torch.linalg.svdvals(orthogonal(torch.randn(shape), torch.float32))
    assert found.min() > 0.6 and found.max() < 1.3


def test_the_precision_is_one_that_is_fast():
    assert fast_precision(torch.device("cuda")) == torch.bfloat16
    assert fast_precision(torch.device("cpu")) in (torch.bfloat16, torch.float32)
