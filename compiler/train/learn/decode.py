"""Greedy search with the network as it is in training: to see how far it is."""

import torch
from torch import Tensor

from compiler.train.learn.network import Layer, Transducer
from compiler.train.symbols import BLANK

MOST_SYMBOLS = 6
"""Of one encoder call; as in model.json."""


@torch.no_grad()
def greedy(network: Transducer, steps: Tensor, lengths: Tensor) -> list[list[int]]:
    """The symbols of each clip.

    Parameters
    ----------
    steps, lengths : (clips, steps, features) and (clips,), as in a batch.
    """
    was = network.training
    network.eval()
    encoded, _ = network.encode(steps)
    found: list[list[int]] = [[] for _ in range(len(steps))]
    predictor = _Predictor(network, len(steps), steps.device)
    for call in range(encoded.shape[1]):
        open_ = call < lengths // 2
        for _ in range(MOST_SYMBOLS):
            symbol = network.join(encoded[:, call], predictor.out).argmax(-1)
            emits = open_ & (symbol != BLANK)
            if not emits.any():
                break
            for n in emits.nonzero()[:, 0].tolist():
                found[n].append(int(symbol[n]))
            predictor.take(symbol, emits)
            open_ = emits
    network.train(was)
    return found


class _Predictor:
    """What the predictor says of each clip's symbols so far."""

    def __init__(self, network: Transducer, clips: int, device: torch.device) -> None:
        self._network = network
        self._table = network.ranges["embedded"](network.embedding)
        symbols = torch.full((clips,), BLANK, device=device)
        values = self._table[symbols][:, None]
        self._state: tuple[Tensor, Tensor] | None = None
        self._before = torch.zeros_like(values)
        if isinstance(network.predictor, Layer):
            self._state = network.predictor.begin(values)
        self.out = self._said(values)

    def take(self, symbols: Tensor, which: Tensor) -> None:
        """Take another symbol of some clips."""
        old, state = self.out, self._state
        before = self._before
        values = self._table[symbols][:, None]
        out = self._said(values)
        self.out = torch.where(which[:, None], out, old)
        self._before = torch.where(which[:, None, None], self._before, before)
        if state is not None and self._state is not None:
            kept = which[None, :, None]
            self._state = (
                torch.where(kept, self._state[0], state[0]),
                torch.where(kept, self._state[1], state[1]),
            )

    def _said(self, values: Tensor) -> Tensor:
        network = self._network
        if isinstance(network.predictor, Layer):
            assert self._state is not None
            hidden, self._state = network.predictor.step(values, self._state)
        else:
            hidden = network.of_context(torch.cat([self._before, values], -1))
            self._before = values
        out: Tensor = network.ranges["decoder_out"](network.predicted(hidden))[:, 0]
        return out
