"""The matrices of the codec's bench: those of a model, and random ones of many kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.bench.results import CaseSummary
from compiler.codec import entropy_bits
from compiler.compile import lower
from compiler.frontends.models import Model
from compiler.lowering.ir import Matrix, MatVec
from npu.chip.params import ChipParams

SHAPE = (512, 640)  # 320 Ki weights
LARGER = (1024, 1280)  # four times as many
SMALL = ((32, 32), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256))  # 1 to 64 k weights
DISTRIBUTIONS = ("laplace", "normal")
ZEROS = (0.5, 0.75, 0.9, 0.95)
FEW_ZEROS = (0.1, 0.2, 0.3, 0.4)
# Fewer bits than eight, at 75 % zeros.
BITS = (7, 6, 5, 4, 3, 2)
# Small alphabets: values that are not zero, all as frequent, by the share of zeros.
ALPHABETS = {
    "ternary": ((-1, 1), (0.25, 0.4, 0.5, 0.75, 0.9, 0.95)),
    "6 values": ((-3, -2, -1, 1, 2, 3), (0.1, 0.2, 0.25, 0.5, 0.75)),
}
SEED = 20261121


@dataclass(frozen=True)
class Case:
    """A matrix of the bench.

    Attributes
    ----------
    name, kind : for the report; kind is "zoo", "synthetic", "small" or "random".
    weights : (rows, columns) int8, one product of the chip.
    parts : the same rows as the matrices that the model has; a chip product stacks an LSTM's gates.
    """

    name: str
    kind: str
    weights: np.ndarray
    parts: tuple[np.ndarray, ...]

    @property
    def entropy_bytes(self) -> float:
        """Zeroth-order entropy of the parts, each for itself."""
        return entropy_bits(*self.parts) / 8

    def described(self) -> CaseSummary:
        """What a report says of it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.weights.shape),
            "zeros": float(np.mean(self.weights == 0)),
            "entropy_bytes": self.entropy_bytes,
        }


def model_cases(model: Model, params: ChipParams) -> Iterator[Case]:
    """The matrices of a model, as the chip multiplies them."""
    seen: list[Matrix] = []
    for segment in lower(model, params).module.segments.values():
        for op in segment.operators:
            if isinstance(op, MatVec) and op.matrix not in seen:
                seen.append(op.matrix)
                yield Case(str(op.matrix.layer), "zoo", op.matrix.weights, op.matrix.operands)


def synthetic_cases() -> Iterator[Case]:
    """Pruned and quantised random matrices, dense ones, small alphabets, and small matrices."""
    for distribution in DISTRIBUTIONS:
        for scale in ("tensor", "channel"):
            for zeros in ZEROS:
                yield synthetic(distribution, scale, zeros, 8)
    for distribution in DISTRIBUTIONS:
        for zeros in ZEROS:
            yield synthetic(distribution, "tensor", zeros, 8, LARGER)
    for distribution in DISTRIBUTIONS:
        for zeros in FEW_ZEROS:
            yield synthetic(distribution, "tensor", zeros, 8)
    for bits in BITS:
        yield synthetic("laplace", "tensor", 0.75, bits)
    yield synthetic("normal", "tensor", 0.0, 8)
    for name, (values, shares) in ALPHABETS.items():
        for zeros in shares:
            yield _alphabet(name, values, zeros)
    uniform = np.random.default_rng(SEED).integers(-128, 128, SHAPE).astype(np.int8)
    yield Case("uniform bytes, dense", "random", uniform, (uniform,))
    for distribution in DISTRIBUTIONS:
        for shape in SMALL:
            yield synthetic(distribution, "tensor", 0.75, 8, shape, "small")


def synthetic(
    distribution: str,
    scale: str,
    zeros: float,
    bits: int,
    shape: tuple[int, int] = SHAPE,
    kind: str = "synthetic",
) -> Case:
    """Random values, the smallest of them pruned, quantised with one scale or one per row."""
    rng = np.random.default_rng(SEED)
    values = getattr(rng, distribution)(size=shape)
    values[np.abs(values) < np.quantile(np.abs(values), zeros)] = 0
    most = np.abs(values).max(axis=1, keepdims=True) if scale == "channel" else np.abs(values).max()
    levels = (1 << (bits - 1)) - 1
    weights = np.rint(values / most * levels).astype(np.int8)
    name = f"{distribution}, {zeros:.0%} pruned, {bits} bit, per {scale}"
    return Case(name, kind, weights, (weights,))


def _alphabet(name: str, values: tuple[int, ...], zeros: float) -> Case:
    rng = np.random.default_rng(SEED)
    weights = rng.choice(np.array(values, np.int8), SHAPE)
    weights[rng.random(SHAPE) < zeros] = 0
    return Case(f"{name}, {zeros:.0%} zeros", "synthetic", weights, (weights,))
