"""Whether the arrays of a call are what a model takes."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from npu.errors import InputError


class Expected(Protocol):
    """What an input must be: a tensor of a graph, or of an image."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...


def require_inputs(model: str, expected: Sequence[Expected], arrays: Sequence[np.ndarray]) -> None:
    """Raise InputError unless there is one array per input, each of its exact shape and type."""
    if len(arrays) != len(expected):
        raise InputError(f"{model} takes {len(expected)} inputs, not {len(arrays)}")
    for position, (tensor, array) in enumerate(zip(expected, arrays, strict=True)):
        if array.shape != tensor.shape or array.dtype != tensor.dtype:
            raise InputError(
                f"input {position} of {model} must be {tensor.dtype} {list(tensor.shape)}, "
                f"not {array.dtype} {list(array.shape)}"
            )


def require_calls(what: str, expected: Expected, calls: np.ndarray) -> None:
    """Raise InputError unless `calls` stacks calls of the input of shape (1, ...)."""
    each = expected.shape[1:]
    if calls.dtype != expected.dtype or calls.shape[1:] != each:
        raise InputError(
            f"{what} must be {expected.dtype} (calls, {', '.join(map(str, each))}), "
            f"not {calls.dtype} {calls.shape}"
        )


def require_indices(where: str, indices: np.ndarray, limit: int) -> None:
    """Raise InputError unless every index is 0 to limit - 1."""
    outside = indices[(indices < 0) | (indices >= limit)]
    if outside.size:
        raise InputError(f"{where}: an index must be 0 to {limit - 1}, not {outside[0]}")
