"""Weights on their grids, and zeros that stay zero."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from compiler.train.learn.grids import GREATEST, Sparse, centroids, rounded  # noqa: E402


def a_matrix(bits=None):
    torch.manual_seed(3)
    made = Sparse(4, 16, 24, 0.5)
    made.prune(0.75)
    if bits:
        made.fix(bits)
    return made


@pytest.mark.parametrize("bits", [3, 4, 5, 8])
def test_what_is_used_is_a_few_whole_steps(bits):
    made = a_matrix(bits)
    used = made().detach().chunk(4)
    for part, step in zip(used, made.steps, strict=True):
        whole = part / step
        assert torch.allclose(whole, whole.round(), atol=1e-4)
        assert whole.abs().max() <= GREATEST + 1e-3
        assert len(torch.unique(whole.round())) <= 2**bits
    assert ((made() == 0) | (made.mask == 1)).all()


def test_zeros_are_the_smallest_and_stay():
    torch.manual_seed(1)
    made = Sparse(1, 20, 30, 1.0)
    sizes = made.weight.detach().abs().flatten().sort().values
    made.prune(0.5)
    kept = made.mask.flatten() == 1
    assert kept.sum() == 300
    assert made.weight.detach().abs().flatten()[kept].min() > sizes[299] - 1e-7
    with torch.no_grad():
        made.weight[made.mask == 0] = 9.0
    made.prune(0.6)
    assert made.mask.sum() == 240
    assert not made.mask[made.weight == 9.0].any()


@pytest.mark.parametrize(("group", "last"), [(8, 8), (16, 8), (20, 4)])
def test_of_each_group_as_many_stay(group, last):
    made = a_matrix()
    made.mask.fill_(1)
    made.prune_groups(0.5, group)
    made.prune_groups(0.75, group)
    first, rest = made.mask[:, :-last], made.mask[:, -last:]
    assert (first.reshape(-1, group).sum(1) == group // 4).all()
    assert (rest.sum(1) == last // 4).all()
    groups = made.weight.detach().abs()[:, :group], made.mask[:, :group] == 1
    for sizes, kept in zip(*groups, strict=True):
        assert sizes[kept].min() > sizes[~kept].max()


def test_what_is_drawn_is_forced_apart():
    torch.manual_seed(4)
    made = Sparse(1, 30, 40, 1.0)
    before = made.weight.detach().clone()
    for _ in range(20):
        made.draw(0.01)
    after = made.weight.detach()
    assert (after.abs() <= before.abs()).all() and (after * before >= 0).all()
    lost = (before.abs() - after.abs()).flatten()
    size = before.abs().flatten()
    assert (after == 0).float().mean() > 0.1
    assert lost[size > 0.8].max() < 0.6 * lost[(size > 0.2) & (size < 0.3)].min()


def test_weights_that_are_free_lie_on_the_grid_when_they_are_put_there():
    made = a_matrix()
    made.free = True
    made.fix(3)
    assert len(torch.unique(made().detach()[:16])) > 8
    assert made.penalty() > 0
    made.snap()
    on_grid = made.weight.detach()
    made.free = False
    assert torch.equal(made().detach(), on_grid)
    assert len(torch.unique(on_grid[:16])) <= 8
    assert float(made.penalty().detach()) == pytest.approx(0, abs=1e-5)


def test_gradients_pass_the_grid_and_not_the_zeros():
    for bits in (4, 8):
        made = a_matrix(bits)
        made().sum().backward()
        assert torch.equal(made.weight.grad, made.mask)


def test_the_regulariser_is_zero_on_the_grid_and_draws_to_it():
    for bits in (3, 8):
        made = a_matrix(bits)
        with torch.no_grad():
            made.weight.copy_(made())
        assert float(made.penalty().detach()) == pytest.approx(0, abs=1e-5)
        torch.manual_seed(0)
        with torch.no_grad():
            gap = torch.unique(made.grid[0]).diff().min()
            made.weight += 0.3 * gap * torch.rand_like(made.weight) * made.mask
        before = made.penalty()
        before.backward()
        with torch.no_grad():
            made.weight -= 1e-3 * gap * made.weight.grad.sign()
        assert made.penalty() < before
        assert not made.weight.grad[made.mask == 0].any()


def test_centroids_of_lumps_are_the_lumps():
    torch.manual_seed(2)
    lumps = torch.tensor([-90.0, -40.0, 30.0, 100.0])
    weights = lumps[torch.randint(0, 4, (4000,))] + torch.randn(4000)
    found = centroids(weights, 3)
    assert len(found) == 8 and (found[1:] >= found[:-1]).all() and 0 in found
    for lump in lumps:
        assert (found - lump).abs().min() <= 1


def test_rounded_is_straight_through():
    values = torch.linspace(-3, 3, 50, requires_grad=True)
    out = rounded(values, 1 / 64)
    assert out.abs().max() <= 2
    out.sum().backward()
    assert (values.grad == 1).all()
