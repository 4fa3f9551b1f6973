"""What makes a step of the gradient."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from compiler.train.learn.muon import Muon, fast_precision
from compiler.train.learn.network import Transducer
from compiler.train.recipe import Learning


class Optimiser:
    """AdamW; with "muon" the matrices that are pruned by Muon.

    Parameters
    ----------
    network, learning : what learns, and how.
    """

    def __init__(self, network: Transducer, learning: Learning) -> None:
        own = [matrix.weight for matrix in network.matrices().values()]
        if learning.optimiser == "adamw":
            own = []
        taken = {id(each) for each in own}
        rest = [each for each in network.parameters() if id(each) not in taken]
        decay = learning.weight_decay
        groups: list[dict[str, Any]] = [
            {"params": [each for each in rest if each.ndim > 1], "weight_decay": decay},
            {"params": [each for each in rest if each.ndim <= 1], "weight_decay": 0.0},
        ]
        self._all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=learning.rate, betas=(0.9, 0.98))
        ]
        if own:
            self._all.append(Muon(own, learning.rate, decay, fast_precision(own[0].device)))

    def step(self, rate: float) -> None:
        """One step, by the gradients."""
        for each in self._all:
            for group in each.param_groups:
                group["lr"] = rate
            each.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for each in self._all:
            each.zero_grad(set_to_none=True)

    def state(self) -> list[dict[str, Any]]:
        """All that goes on."""
        return [each.state_dict() for each in self._all]

    def restore(self, state: Sequence[dict[str, Tensor]]) -> None:
        """Go on from there."""
        for each, saved in zip(self._all, state, strict=True):
            each.load_state_dict(saved)
