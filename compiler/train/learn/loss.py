"""Transducer loss over alignments that the words' times allow.

Graves 2012, with the emission of each symbol restricted to some encoder calls (alignment
restricted, Mahadeokar and others 2021): outside of them the arc has no probability. Blanks are
free.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

NEVER = -1e9
"""A logarithm of no probability; finite, so that no sum is undefined."""


def reachable(calls: Tensor, counts: Tensor, first: Tensor, last: Tensor, most: int) -> Tensor:
    """Which cells of the lattice lie on a path: (clips, most calls, symbols + 1) bool.

    In cell [n, t, u] the first u symbols are emitted, and none later than allowed, none too early.
    A path has few of all cells, and no other needs the joiner.
    """
    call = torch.arange(most, device=first.device)[None, :, None]
    state = torch.arange(first.shape[1] + 1, device=first.device)
    early = functional.pad(first, (1, 0), value=-1)[:, None]
    late = functional.pad(last, (0, 1), value=most)[:, None]
    late = torch.where(state >= counts[:, None, None], most, late)
    inside = (call < calls[:, None, None]) & (state <= counts[:, None, None])
    return inside & (call >= early) & (call <= late)


def arcs(logits: Tensor, cells: Tensor, symbols: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """Logarithms of the probabilities of blanks and of the symbol that is next.

    Parameters
    ----------
    logits : (cells, alphabet), of the cells that are set, in their order.
    cells : (clips, calls, symbols + 1) bool.
    symbols : (clips, symbols) of the alphabet.
    blank : its number.

    Returns
    -------
    blanks, emits : as `cells`, NEVER elsewhere and for the symbol behind the last.
    """
    normal = logits.float().log_softmax(-1)
    following = functional.pad(symbols, (0, 1))[:, None].expand(cells.shape)[cells]
    out = normal.new_full((2, *cells.shape), NEVER)
    blanks = out[0].masked_scatter(cells, normal[:, blank])
    emits = out[1].masked_scatter(cells, normal.gather(-1, following[:, None])[:, 0])
    return blanks, emits


def restricted_loss(
    blanks: Tensor, emits: Tensor, calls: Tensor, counts: Tensor, first: Tensor, last: Tensor
) -> Tensor:
    """Minus the logarithm of the probability of each clip's symbols.

    Parameters
    ----------
    blanks, emits : (clips, calls, symbols + 1), as `arcs` gives them.
    calls, counts : (clips,) calls and symbols of each clip.
    first, last : (clips, symbols) the calls in which a symbol may be emitted.

    Returns
    -------
    (clips,)
    """
    call = torch.arange(emits.shape[1], device=emits.device)[None, :, None]
    allowed = (call >= first[:, None]) & (call <= last[:, None])
    emits = torch.where(functional.pad(allowed, (0, 1)), emits, NEVER)
    loss: Tensor = _Lattice.apply(blanks, emits, calls, counts)
    return loss


class _Lattice(torch.autograd.Function):
    """The sum over all paths by diagonals of the lattice, and its gradient from both ends."""

    @staticmethod
    def forward(ctx: Any, blanks: Tensor, emits: Tensor, calls: Tensor, counts: Tensor) -> Tensor:
        clips, steps, states = blanks.shape
        blank, emit = blanks.float(), emits.float()
        clip = torch.arange(clips, device=blanks.device)
        # Slanted, a diagonal is a column: entry [n, d, u] is of call d - u.
        slanted_blank, slanted_emit = _slanted(blank), _slanted(emit)
        diagonals = slanted_blank.shape[1]
        alpha = torch.full((diagonals, clips, states), NEVER, device=blanks.device)
        alpha[0, :, 0] = 0
        for d in range(1, diagonals):
            stay = alpha[d - 1] + slanted_blank[:, d - 1]
            move = alpha[d - 1, :, :-1] + slanted_emit[:, d - 1, :-1]
            stay[:, 1:] = torch.logaddexp(stay[:, 1:], move)
            alpha[d] = stay.clamp_min(NEVER)
        ends = calls - 1 + counts
        total = alpha[ends, clip, counts] + blank[clip, calls - 1, counts]

        beta = torch.full((diagonals + 1, clips, states), NEVER, device=blanks.device)
        final = torch.zeros((diagonals, clips, states), dtype=torch.bool, device=blanks.device)
        final[ends, clip, counts] = True
        for d in reversed(range(diagonals)):
            after = beta[d + 1] + slanted_blank[:, d]
            move = beta[d + 1, :, 1:] + slanted_emit[:, d, :-1]
            after[:, :-1] = torch.logaddexp(after[:, :-1], move)
            beta[d] = torch.where(final[d], slanted_blank[:, d], after).clamp_min(NEVER)
        reached = alpha.transpose(0, 1) - total[:, None, None]
        later = beta[1:].transpose(0, 1)
        later_blank = torch.where(final.transpose(0, 1), 0.0, later)
        by_blank = (reached + slanted_blank + later_blank).exp()
        by_emit = (reached[..., :-1] + slanted_emit[..., :-1] + later[..., 1:]).exp()
        by_emit = functional.pad(by_emit, (0, 1))  # nothing follows the last symbol
        ctx.save_for_backward(_upright(by_blank, steps), _upright(by_emit, steps))
        return -total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        by_blank, by_emit = ctx.saved_tensors
        scale = -grads[0][:, None, None]
        return scale * by_blank, scale * by_emit, None, None


def _slanted(values: Tensor) -> Tensor:
    """(clips, calls, states) to (clips, calls + states, states): [n, d, u] from call d - u."""
    clips, calls, states = values.shape
    out = values.new_full((clips, calls + states, states), NEVER)
    # Rows that are longer by one shift each next row by one.
    place = torch.arange(calls, device=values.device)[:, None] + torch.arange(
        states, device=values.device
    )
    out.scatter_(1, place.expand(clips, -1, -1), values)
    return out


def _upright(values: Tensor, calls: int) -> Tensor:
    """The inverse of `_slanted`."""
    clips, _, states = values.shape
    place = torch.arange(calls, device=values.device)[:, None] + torch.arange(
        states, device=values.device
    )
    return values.gather(1, place.expand(clips, -1, -1))
