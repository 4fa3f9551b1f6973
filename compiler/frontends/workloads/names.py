"""Workloads as users name them: `workload:NAME`, with sparsity and seed behind commas."""

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from npu.errors import ModelError
from npu.files import read_text
from npu.text import shown

PREFIX = "workload:"

DIMENSIONS = Path(__file__).parent / "workloads.json"
"""The published dimensions, with their sources and in what they differ from these."""

SPARSITY, SEED = 0.0, 1
"""What is taken where nothing is said: dense weights."""

MOST_SPARSITY = 0.999
MOST_SEED = (1 << 63) - 1

_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Workload:
    """A network of published dimensions with weights of one's own choice.

    Attributes
    ----------
    name : as `workloads.json` has it.
    sparsity : share of zeros in every matrix, 0 to MOST_SPARSITY.
    seed : of the weights, 0 to MOST_SEED.
    """

    name: str
    sparsity: float = SPARSITY
    seed: int = SEED

    def __str__(self) -> str:
        """The name that leads to it again, with everything said."""
        return f"{PREFIX}{self.name},sparsity={self.sparsity:g},seed={self.seed}"

    @property
    def dimensions(self) -> Mapping[str, Any]:
        """Its entry in `workloads.json`."""
        return published()[self.name]


@cache
def published() -> Mapping[str, Mapping[str, Any]]:
    """All entries of `workloads.json`, by name."""
    return MappingProxyType(json.loads(read_text(DIMENSIONS, _MAX_BYTES, ModelError)))


def is_workload(model: object) -> bool:
    """Whether a model is named as a workload, rightly or not."""
    return str(model).startswith(PREFIX)


def workload_of(model: object) -> Workload:
    """What `workload:NAME,sparsity=0.75,seed=1` names; sparsity and seed may be left out.

    Raises ModelError for a name that there is not, with those that there are, for a key that is
    neither, and for a value out of range.
    """
    name, *settings = str(model).removeprefix(PREFIX).split(",")
    if name not in published():
        near = difflib.get_close_matches(name, published(), 1)
        hint = f"did you mean {PREFIX}{near[0]}? " if near else ""
        raise ModelError(f"no workload {shown(name)}; {hint}there are: {', '.join(published())}")
    values: dict[str, str] = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if key not in ("sparsity", "seed") or not equals or key in values:
            raise ModelError(
                f"{model}: {shown(setting)} must be sparsity=S or seed=N, each once, as in "
                f"{Workload(name, 0.75)}"
            )
        values[key] = value
    return with_weights(
        Workload(name),
        _number(model, "sparsity", values.get("sparsity"), float),
        _number(model, "seed", values.get("seed"), int),
    )


def with_weights(workload: Workload, sparsity: float | None, seed: int | None) -> Workload:
    """The workload with another sparsity and seed, where these are not None.

    Raises ModelError for values out of range.
    """
    sparsity = workload.sparsity if sparsity is None else sparsity
    seed = workload.seed if seed is None else seed
    if not (math.isfinite(sparsity) and 0 <= sparsity <= MOST_SPARSITY):
        raise ModelError(
            f"{PREFIX}{workload.name}: sparsity must be 0 to {MOST_SPARSITY}, the share of zeros, "
            f"not {sparsity:g}"
        )
    if not 0 <= seed <= MOST_SEED:
        raise ModelError(
            f"{PREFIX}{workload.name}: seed must be 0 to {MOST_SEED}, not {shown(seed)}"
        )
    return Workload(workload.name, sparsity, seed)


def _number(model: object, key: str, text: str | None, kind: type) -> Any:
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        example = "0.75" if kind is float else "1"
        raise ModelError(
            f"{model}: {key} must be a number, as {key}={example}, not {shown(text)}"
        ) from None
