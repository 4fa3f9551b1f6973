"""Modules of PyTorch in the kinds of layers that people export, and how their integers are run."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from compiler import Model
from kernels import Interpreter
from npu.model.graph import Tensor


class First(nn.Module):
    """The first output of a module, such as a recurrent one."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)[0]


class Formula(nn.Module):
    def __init__(self, of: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.of = of

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.of(x)


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, x, x, need_weights=False)[0]


class ConformerConvolution(nn.Module):
    """The convolution module of a Conformer, arXiv 2005.08100."""

    def __init__(self, width: int, taps: int) -> None:
        super().__init__()
        self.norm, self.gate = nn.LayerNorm(width), nn.GLU(1)
        self.widen, self.narrow = nn.Conv1d(width, 2 * width, 1), nn.Conv1d(width, width, 1)
        self.depth = nn.Conv1d(width, width, taps, padding=taps // 2, groups=width)
        self.batch, self.bend = nn.BatchNorm1d(width), nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.gate(self.widen(self.norm(x).transpose(1, 2)))
        return x + self.narrow(self.bend(self.batch(self.depth(y)))).transpose(1, 2)


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(channels, channels // 2), nn.Linear(channels // 2, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = torch.sigmoid(self.up(torch.relu(self.down(x.mean(2)))))
        return x * weights.unsqueeze(2)


class Streaming(nn.Module):
    """Recurrent layers with explicit states, layer normalisation behind each where asked for."""

    def __init__(self, kind: type[nn.RNNBase], layers: int, normalised: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [kind(20 if n == 0 else 24, 24, batch_first=True) for n in range(layers)]
        )
        self.norms = nn.ModuleList([nn.LayerNorm(24) for _ in range(layers)] if normalised else [])
        self.out = nn.Linear(24, 16)
        self.each = 2 if kind is nn.LSTM else 1

    def forward(self, x: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        following: list[torch.Tensor] = []
        for number, layer in enumerate(self.layers):
            own = states[self.each * number : self.each * (number + 1)]
            x, last = layer(x, own if self.each == 2 else own[0])
            following += last if self.each == 2 else [last]
            x = self.norms[number](x) if len(self.norms) else x
        return self.out(x), *following

    def zeros(self) -> tuple[torch.Tensor, ...]:
        return tuple(torch.zeros(1, 1, 24) for _ in range(self.each * len(self.layers)))


def integers(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """What a model takes for real values; symbols as they are."""
    if tensor.quantization is None:
        return values.astype(np.int32).reshape(tensor.shape)
    steps = np.rint(values / tensor.quantization.scale[0]) + tensor.quantization.zero_point
    return np.clip(steps, -128, 127).astype(np.int8).reshape(tensor.shape)


def real(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    assert tensor.quantization is not None
    return (values.astype(np.float64) - tensor.quantization.zero_point) * float(
        tensor.quantization.scale[0]
    )


def answers(model: Model, calls: Sequence[np.ndarray]) -> np.ndarray:
    """What the kernels give, as real numbers (calls, elements)."""
    graph = model.graphs["main"]
    (given,), (made,) = graph.inputs, graph.outputs
    kernels = Interpreter(graph)
    return np.array(
        [
            real(
                kernels.invoke([integers(x, graph.tensors[given])])[0], graph.tensors[made]
            ).ravel()
            for x in calls
        ]
    )


def decibels(wanted: np.ndarray, found: np.ndarray) -> float:
    """Signal to noise."""
    return float(10 * np.log10(np.mean(wanted**2) / np.mean((found - wanted) ** 2)))
