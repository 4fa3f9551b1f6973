"""Weights as the chip has them: some are zero, all lie on the grid of their tensor."""

import math

import torch
from torch import Tensor, nn

GREATEST = 127


class OnGrid(torch.autograd.Function):
    """The nearest value of a grid; the gradient passes as if nothing were rounded."""

    @staticmethod
    def forward(ctx: object, weights: Tensor, grid: Tensor) -> Tensor:
        middles = (grid[1:] + grid[:-1]) / 2
        return grid[torch.bucketize(weights.contiguous(), middles)]

    @staticmethod
    def backward(ctx: object, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


def rounded(
    values: Tensor,
    scale: float | Tensor,
    low: int = -128,
    high: int = 127,
    zero: float | Tensor = 0,
) -> Tensor:
    """Values on a grid of whole numbers of `scale`, straight through for the gradient."""
    on_grid = (torch.clamp(torch.round(values / scale) + zero, low, high) - zero) * scale
    return values + (on_grid - values).detach()


class Sparse(nn.Module):
    """A weight tensor of some matrices (gates), each with its own grid.

    Parameters
    ----------
    matrices, rows, columns : its shape: (matrices * rows, columns).
    bound : initial values are uniform within it.

    Attributes
    ----------
    weight : (matrices * rows, columns), what is learnt.
    mask : the same shape, 0 for a weight that is zero.
    grid : (matrices, values) the values that weights may have, rising; empty before `fix`.
    free : on a code book's grid only when `snap` puts them there; until then any int8 value.
    """

    mask: Tensor
    steps: Tensor
    grid: Tensor
    free = False

    def __init__(self, matrices: int, rows: int, columns: int, bound: float) -> None:
        super().__init__()
        self.matrices = matrices
        self.weight = nn.Parameter(torch.empty(matrices * rows, columns).uniform_(-bound, bound))
        self.register_buffer("mask", torch.ones_like(self.weight))
        self.register_buffer("steps", torch.zeros(matrices))
        self.register_buffer("grid", torch.zeros(matrices, 0))

    def forward(self) -> Tensor:
        """The weights as they are used now."""
        weight = self.weight * self.mask
        if not self.grid.shape[1]:
            return weight
        if self.free or self.grid.shape[1] == 2 * GREATEST + 1:
            steps = self.steps.repeat_interleave(len(weight) // self.matrices)[:, None]
            return rounded(weight, steps, -GREATEST, GREATEST)
        return self._on_grid(weight)

    def _on_grid(self, weight: Tensor) -> Tensor:
        parts = weight.chunk(self.matrices)
        return torch.cat([OnGrid.apply(p, g) for p, g in zip(parts, self.grid, strict=True)])

    def sizes(self) -> Tensor:
        """Magnitudes of the weights, 0 for those that are zero for good."""
        return self.weight.detach().abs() * self.mask

    def prune(self, zeros: float, threshold: Tensor | None = None) -> None:
        """Make a share of the weights zero: the smallest, or all below a threshold."""
        size = self.sizes()
        if threshold is None:
            count = round(zeros * size.numel())
            if not count:
                return
            threshold = size.flatten().kthvalue(count).values
        self.mask.copy_((size > threshold).float())

    def prune_groups(self, zeros: float, group: int) -> None:
        """Make as many of each `group` weights that stand side by side in a row zero: N of M stay,
        the greatest, in every group as many; of a last group that is shorter, a share.
        """
        kept = []
        for part in self.sizes().split(group, dim=1):
            width = part.shape[1]
            places = part.topk(width - round(zeros * width), dim=1).indices
            kept.append(torch.zeros_like(part).scatter_(1, places, 1.0))
        self.mask.mul_(torch.cat(kept, 1))

    @torch.no_grad()
    def draw(self, amount: float) -> None:
        """Draw weights to zero, by up to `amount`, small ones more than great ones: a proximal step
        of L1 that is weighted anew in each step with 1 / (|w| + mean |w|) (Candes and others 2008),
        as Zhen and others (arXiv 2102.04932) force weights apart before they are pruned.
        """
        size = self.sizes()
        mean = size.sum() / self.mask.sum().clamp_min(1)
        less = amount * mean / (size + mean).clamp_min(1e-12)
        self.weight.copy_(self.weight.sign() * (self.weight.abs() - less).clamp_min(0))

    @torch.no_grad()
    def snap(self) -> None:
        """Put the weights on the grid, from where they are learnt on."""
        self.weight.copy_(self._on_grid(self.weight * self.mask))

    def fix(self, bits: int) -> None:
        """Fix the grids by the weights of now: all int8 values, or 2 ** bits of them."""
        parts = (self.weight.detach() * self.mask).chunk(self.matrices)
        self.steps = torch.stack([part.abs().max().clamp_min(1e-6) / GREATEST for part in parts])
        if bits == 8:
            whole = torch.arange(-GREATEST, GREATEST + 1, device=self.steps.device)
            self.grid = self.steps[:, None] * whole
            return
        self.grid = torch.stack(
            [
                step * centroids(part / step, bits)
                for part, step in zip(parts, self.steps, strict=True)
            ]
        )

    def penalty(self) -> Tensor:
        """How far the weights are from their grid: the mean of |sin pi (w - a) / (b - a)| between
        its neighbours a and b (absolute cosine, Interspeech 2020; of code books the multi-regional
        form, arXiv 2206.15408), with the gradient times b - a.

        Weights that are zero for good are exempt.
        """
        total = self.weight.new_zeros(())
        for part, mask, grid in zip(
            self.weight.chunk(self.matrices), self.mask.chunk(self.matrices), self.grid, strict=True
        ):
            above = torch.searchsorted(grid, part.detach().contiguous()).clamp(1, len(grid) - 1)
            low, high = grid[above - 1], grid[above]
            gap = (high - low).clamp_min(1e-9)
            away = torch.sin(math.pi * (part - low) / gap).abs() * gap
            inside = (part > grid[0]) & (part < grid[-1])
            total = total + (away * mask * inside).sum() / mask.sum().clamp_min(1)
        return total / self.matrices


def centroids(weights: Tensor, bits: int, rounds: int = 30) -> Tensor:
    """Lloyd-Max centroids of weights in steps, rounded: at most 2 ** bits whole numbers, with 0.

    Returns (2 ** bits,) rising; where fewer are enough the greatest is there more than once, so
    that every grid is as long.
    """
    values = weights[weights != 0].flatten().float()
    count = 2**bits - 1
    if not len(values):
        values = weights.new_zeros(1)
    places = torch.linspace(0, 1, count + 2, device=values.device)[1:-1]
    found = torch.quantile(values[: 1 << 20], places)
    for _ in range(rounds):
        middles = (found[1:] + found[:-1]) / 2
        near = torch.bucketize(values, middles)
        sums = torch.zeros_like(found).index_add_(0, near, values)
        members = torch.zeros_like(found).index_add_(0, near, torch.ones_like(values))
        found = torch.where(members > 0, sums / members.clamp_min(1), found).sort().values
    whole = torch.unique(torch.cat([found.round().clamp(-GREATEST, GREATEST), found.new_zeros(1)]))
    return torch.cat([whole, whole[-1].expand(2**bits - len(whole))])
