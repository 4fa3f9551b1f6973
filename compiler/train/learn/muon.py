"""Muon: steps that are orthogonal matrices, in the precision that the processor is fast in.

PyTorch's own does this in bfloat16 alone, which takes ten times as long where the processor has no
instructions for it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_MOMENTUM = 0.95
_ROUNDS = 5
_QUINTIC = (3.4445, -4.775, 2.0315)
"""Of the iteration, chosen to be steepest at zero."""
_LEAST = 1e-7


def fast_precision(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies in it, else float32."""
    if device.type != "cpu":
        return torch.bfloat16
    cpu = torch.cpu
    if cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported():
        return torch.bfloat16
    # Of Arm's processors; of others oneDNN counts those that only emulate it.
    has: bool = not cpu._is_avx2_supported() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if has else torch.float32


def orthogonal(matrix: Tensor, precision: torch.dtype) -> Tensor:
    """The nearest orthogonal matrix, about: singular values become 0.7 to 1.2 by five rounds of
    Newton and Schulz's iteration (Jordan and others 2024).

    matrix : (rows, columns). precision : of the products; the result has it.
    """
    a, b, c = _QUINTIC
    found = matrix.to(precision)
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:
        found = found.T
    found = found / found.norm().clamp(min=_LEAST)
    for _ in range(_ROUNDS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.T if tall else found


class Muon(torch.optim.Optimizer):
    """Momentum of Nesterov whose steps are made orthogonal, scaled to what AdamW's are (Liu and
    others, arXiv 2502.16982).

    Parameters
    ----------
    params : matrices.
    lr, weight_decay : as of AdamW.
    precision : of the iteration.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float, precision: torch.dtype
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})
        self._precision = precision

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One step, by the gradients."""
        for group in self.param_groups:
            rate = group["lr"]
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(param)
                buffer = state["momentum_buffer"].lerp_(param.grad, 1 - _MOMENTUM)
                update = orthogonal(param.grad.lerp(buffer, _MOMENTUM), self._precision)
                param.mul_(1 - rate * group["weight_decay"])
                param.add_(update, alpha=-rate * 0.2 * max(param.shape) ** 0.5)
