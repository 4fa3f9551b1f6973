"""A model that grows: the tensors that an operator may read, and new ones behind them."""

import math
from typing import Any

import numpy as np

from tests.tflite_builder import ModelSpec, TensorSpec

MOST_ELEMENTS = 1500
SCALES = (0.004, 0.2)
WIDE_SCALES = (1e-6, 1e4)
FAR = 0.05
"""How often a scale is far from any other."""

Shape = tuple[int, ...]


class Grower:
    """A model under construction.

    Attributes
    ----------
    live : int8 tensors that an operator may read, the oldest first; constants too.
    leaves : those that nothing reads yet.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.model = ModelSpec()
        self.live: list[int] = []
        self.leaves: dict[int, None] = {}

    # --- random numbers -------------------------------------------------------------------------
    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def number(self, lo: int, hi: int) -> int:
        """lo to hi, both possible, the smaller the likelier."""
        return int(min(self.rng.integers(lo, hi + 1, 2)))

    def pick(self, choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def scale(self, near: float | None = None) -> np.float32:
        """Of any size, or in the order of another; now and then far from any."""
        lo, hi = SCALES if near is None else (near / 3, near * 3)
        if self.chance(FAR):
            lo, hi = WIDE_SCALES
        return np.float32(np.exp(self.rng.uniform(np.log(lo), np.log(hi))))

    def zero_point(self) -> int:
        return int(self.pick([-128, 127, 0, *self.rng.integers(-128, 128, 4)]))

    # --- tensors --------------------------------------------------------------------------------
    def spec(self, index: int) -> TensorSpec:
        return self.model.tensors[index]

    def shape(self, index: int) -> Shape:
        return self.spec(index).shape

    def size(self, index: int) -> int:
        return math.prod(self.shape(index))

    def input(self, shape: Shape) -> int:
        """One that a call gives."""
        index = self.new(shape)
        self.model.inputs.append(index)
        return index

    def new(self, shape: Shape, scale: float | None = None, zero_point: int | None = None) -> int:
        """An int8 tensor that may be read from now on."""
        index = self.model.tensor(
            tuple(int(n) for n in shape),
            scale=self.scale() if scale is None else np.float32(scale),
            zero_point=self.zero_point() if zero_point is None else zero_point,
        )
        self.live.append(index)
        self.leaves[index] = None
        return index

    def like(self, index: int, shape: Shape | None = None) -> int:
        """One with the quantisation of another, and its shape unless told."""
        spec = self.spec(index)
        shape = spec.shape if shape is None else shape
        return self.new(shape, spec.scale, spec.zero_point)

    def constant(self, shape: Shape) -> int:
        """An int8 constant with a quantisation of its own."""
        data = self.rng.integers(-128, 128, shape).astype(np.int8)
        scale, zero_point = self.scale(), self.zero_point()
        return self.model.tensor(tuple(shape), "int8", scale, zero_point, data)

    def numbers(self, values: Any, dtype: str = "int32") -> int:
        """A constant that says how an operator works; operators share tensors, or their bytes."""
        data = np.asarray(values, dtype)
        for index, spec in enumerate(self.model.tensors):
            known = spec.data
            if known is None or known.dtype != data.dtype or spec.scale is not None:
                continue
            if np.array_equal(known, data) and self.chance(0.7):
                return (
                    index if self.chance(0.5) else self.model.tensor(data.shape, dtype, data=known)
                )
        return self.model.tensor(data.shape, dtype, data=data)

    def operator(
        self, kind: str, inputs: list[int], outputs: list[int], options: Any = None
    ) -> None:
        for index in inputs:
            self.leaves.pop(index, None)
        self.model.operator(kind, inputs, outputs, options)

    def source(self) -> int:
        """A tensor to read: mostly a new one, sometimes an old one, rarely a constant."""
        # A constant without elements has no bytes: TFLM takes it for a tensor of unknown size.
        if self.chance(0.03) and self.size(self.live[-1]) > 0:
            return self.constant(self.shape(self.live[-1]))
        recent = self.live[-4:] if self.chance(0.8) else self.live
        return int(self.pick(recent))
