"""The inputs that a model is tried with: extreme, random and, where there are any, real ones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.public.files import Input

Call = list[np.ndarray]
EXTREMES = ("least", "most", "zero", "ramp", "alternating")
"""All elements the least value, the most, real zero; all values, or least and most, in turn."""
RANDOM = 7
"""Calls of uniform values, and then one with all values close to zero."""
REAL = 40
"""Most real calls that are taken."""


def made_calls(inputs: Sequence[Input], rng: np.random.Generator) -> list[Call]:
    """The extreme calls, then the random ones."""
    calls = [[_extreme(each, kind) for each in inputs] for kind in EXTREMES]
    calls += [[_random(each, rng) for each in inputs] for _ in range(RANDOM)]
    calls.append([_close_to_zero(each, rng) for each in inputs])
    return calls


def real_calls(model: Path) -> list[Call]:
    """What lies beside a model: `NAME.inputs.npz` or `NAME.npz`, with `input0`, ... by call."""
    for path in (model.with_suffix(".inputs.npz"), model.with_suffix(".npz")):
        if path.exists():
            with np.load(path) as stored:
                names = sorted(name for name in stored if name.startswith("input"))
                columns = [stored[name][:REAL] for name in names]
            return [list(call) for call in zip(*columns, strict=True)]
    return []


def _bounds(given: Input) -> tuple[float, float, float]:
    """The least and the most value of an input, and real zero."""
    if given.limit is not None:
        return 0, given.limit - 1, 0
    if given.dtype == "bool":
        return 0, 1, 0
    if np.issubdtype(given.dtype, np.integer):
        if given.scale == 0.0 and given.dtype in ("int32", "int64"):
            return -100, 100, 0  # sizes, lengths or raw numbers: large ones say nothing
        info = np.iinfo(given.dtype)
        return info.min, info.max, given.zero_point
    return -8.0, 8.0, 0.0


def _extreme(given: Input, kind: str) -> np.ndarray:
    low, high, zero = _bounds(given)
    size = int(np.prod(given.shape))
    values = {
        "least": np.full(size, low),
        "most": np.full(size, high),
        "zero": np.full(size, zero),
        "ramp": low + np.arange(size) % max(high - low + 1, 1),
        "alternating": np.where(np.arange(size) % 2, high, low),
    }[kind]
    return values.astype(given.dtype).reshape(given.shape)


def _random(given: Input, rng: np.random.Generator) -> np.ndarray:
    low, high, _ = _bounds(given)
    if np.issubdtype(given.dtype, np.floating):
        return (rng.standard_normal(given.shape) * rng.choice([0.1, 1.0, 4.0])).astype(given.dtype)
    return rng.integers(int(low), int(high) + 1, given.shape).astype(given.dtype)


def _close_to_zero(given: Input, rng: np.random.Generator) -> np.ndarray:
    low, high, zero = _bounds(given)
    values = zero + (high - low) / 64 * rng.standard_normal(given.shape)
    if not np.issubdtype(given.dtype, np.floating):
        values = np.rint(values)
    return np.clip(values, low, high).astype(given.dtype)
