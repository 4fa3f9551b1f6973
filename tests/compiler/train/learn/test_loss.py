"""The restricted transducer loss, against the sum over every single path."""

import math

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from compiler.train.learn.loss import arcs, reachable, restricted_loss  # noqa: E402


def by_paths(blanks, emits, calls, symbols, first, last):
    """Minus the logarithm of the sum over all paths; None where there is none."""
    total = []

    def walk(call, state, so_far):
        if call == calls - 1 and state == symbols:
            total.append(so_far + blanks[call, state])
        if call < calls - 1:
            walk(call + 1, state, so_far + blanks[call, state])
        if state < symbols and first[state] <= call <= last[state]:
            walk(call, state + 1, so_far + emits[call, state])

    walk(0, 0, 0.0)
    return -math.log(sum(map(math.exp, total))) if total else None


def a_case(seed):
    random = torch.Generator().manual_seed(seed)
    draw = lambda low, high, *shape: torch.randint(low, high, shape, generator=random)  # noqa: E731
    clips, most, longest = 4, 6, 4
    calls, counts = draw(2, most + 1, clips), draw(0, longest + 1, clips)
    calls[0], counts[0] = most, longest
    begin = draw(0, most, clips, longest).sort(1).values.clamp(max=calls[:, None] - 1)
    end = (begin + draw(0, 4, clips, longest)).clamp(max=calls[:, None] - 1)
    symbols = draw(1, 7, clips, longest)
    logits = torch.randn(clips, most, longest + 1, 7, generator=random, dtype=torch.float64)
    return logits, symbols, calls, counts, begin, end


def loss_of(logits, symbols, calls, counts, first, last):
    cells = reachable(calls, counts, first, last, logits.shape[1])
    blanks, emits = arcs(logits[cells], cells, symbols, 0)
    return restricted_loss(blanks, emits, calls, counts, first, last)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_sum_over_all_paths(seed):
    case = a_case(seed)
    logits, symbols, calls, counts, first, last = case
    found = loss_of(*case)
    normal = logits.log_softmax(-1)
    for n in range(len(logits)):
        emits = normal[n, :, :-1].gather(-1, symbols[n][None, :, None].expand(6, -1, 1))[..., 0]
        sizes = (int(calls[n]), int(counts[n]))
        wanted = by_paths(normal[n, ..., 0], emits, *sizes, first[n], last[n])
        if wanted is not None:
            assert float(found[n]) == pytest.approx(wanted, rel=1e-5), n


@pytest.mark.parametrize("seed", range(4))
def test_its_gradient_is_that_of_finite_differences(seed):
    logits, *rest = a_case(seed)
    logits.requires_grad_(True)
    loss_of(logits, *rest).sum().backward()
    random = torch.Generator().manual_seed(seed)
    for _ in range(20):
        step = torch.randn(logits.shape, generator=random, dtype=torch.float64)
        step = 2e-2 * step / step.norm()
        with torch.no_grad():
            ahead, behind = (loss_of(logits + sign * step, *rest).sum() for sign in (1, -1))
        wanted = float(ahead - behind) / 2
        assert float((logits.grad * step).sum()) == pytest.approx(wanted, abs=2e-4)


def test_a_window_outside_of_which_it_would_be_sure_costs():
    """What is emitted at the wrong time has no probability, however sure the network is."""
    logits, symbols, calls, counts, first, last = a_case(0)
    first[:], last[:] = 2, 3
    free = loss_of(
        logits, symbols, calls, counts, torch.zeros_like(first), calls[:, None] - 1 + 0 * last
    )
    assert (loss_of(logits, symbols, calls.clamp(min=4), counts, first, last) >= 0).all()
    assert free.sum() < loss_of(logits, symbols, calls.clamp(min=4), counts, first, last).sum()


def test_without_windows_it_is_the_recursion_of_graves():
    """Alpha, cell by cell, as it stands in the paper."""
    logits, symbols, calls, counts, first, last = a_case(3)
    first[:], last[:] = 0, 99
    found = loss_of(logits, symbols, calls, counts, first, last)
    normal = logits.log_softmax(-1)
    for n in range(len(logits)):
        alpha = torch.full((int(calls[n]), int(counts[n]) + 1), -torch.inf, dtype=torch.float64)
        alpha[0, 0] = 0
        for t in range(alpha.shape[0]):
            for u in range(alpha.shape[1]):
                came = [alpha[t, u]]
                if t:
                    came.append(alpha[t - 1, u] + normal[n, t - 1, u, 0])
                if u:
                    came.append(alpha[t, u - 1] + normal[n, t, u - 1, symbols[n, u - 1]])
                alpha[t, u] = torch.logsumexp(torch.stack(came), 0)
        wanted = -(alpha[-1, -1] + normal[n, int(calls[n]) - 1, int(counts[n]), 0])
        assert float(found[n]) == pytest.approx(float(wanted), rel=1e-5)
