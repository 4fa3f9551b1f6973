"""PyTorch's LSTM with a projection, for its exporters: neither of them writes one that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def unrolled(module: torch.nn.Module) -> Iterator[None]:
    """Every `torch.nn.LSTM` with `proj_size` in a module runs as its formulas, frame by frame."""
    import torch

    found = [m for m in module.modules() if isinstance(m, torch.nn.LSTM) and m.proj_size > 0]
    for lstm in found:
        lstm.forward = partial(_forward, lstm)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for lstm in found:
            del lstm.forward


def _forward(lstm: torch.nn.LSTM, x: Any, states: Any = None) -> Any:
    """What `torch.nn.LSTM.forward` gives for tensors that are not packed, in evaluation mode."""
    import torch

    alone = x.dim() == 2
    if alone:
        x = x.unsqueeze(0 if lstm.batch_first else 1)
        states = None if states is None else tuple(each.unsqueeze(1) for each in states)
    frames = x.unbind(1 if lstm.batch_first else 0)
    ways = 2 if lstm.bidirectional else 1
    last: list[tuple[Any, Any]] = []
    for layer in range(lstm.num_layers):
        made = []
        for way in range(ways):
            number = layer * ways + way
            if states is None:
                begun = tuple(
                    x.new_zeros(frames[0].shape[0], n) for n in (lstm.proj_size, lstm.hidden_size)
                )
            else:
                begun = (states[0][number], states[1][number])
            suffix = f"l{layer}" + ("_reverse" if way else "")
            outputs, ended = _layer(lstm, suffix, frames[::-1] if way else frames, begun)
            made.append(outputs[::-1] if way else outputs)
            last.append(ended)
        frames = tuple(torch.cat(each, -1) for each in zip(*made, strict=True))
    y = torch.stack(frames, 1 if lstm.batch_first else 0)
    h, c = (torch.stack([ended[part] for ended in last]) for part in (0, 1))
    if alone:
        return y.squeeze(0 if lstm.batch_first else 1), (h.squeeze(1), c.squeeze(1))
    return y, (h, c)


def _layer(
    lstm: torch.nn.LSTM, suffix: str, frames: Any, begun: Any
) -> tuple[list[Any], tuple[Any, Any]]:
    """One layer in one direction: what it gives for each frame, and its states behind the last."""
    import torch
    from torch.nn.functional import linear

    def of(name: str) -> Any:
        return getattr(lstm, f"{name}_{suffix}", None)

    h, c = begun
    outputs = []
    for x in frames:
        gates = linear(x, of("weight_ih"), of("bias_ih"))
        gates = gates + linear(h, of("weight_hh"), of("bias_hh"))
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = linear(torch.sigmoid(o) * torch.tanh(c), of("weight_hr"))
        outputs.append(h)
    return outputs, (h, c)
