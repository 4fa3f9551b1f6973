"""Random TFLite models of one arithmetic operator: shapes, scales, zero points, constants."""

from collections.abc import Callable

import numpy as np

from tests.tflite_builder import ModelSpec

FUSED = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}
BINARY = [*FUSED, "MAXIMUM", "MINIMUM", "PRELU", "SQUARED_DIFFERENCE"]


class Maker:
    """A model under construction, and what it is made of."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.model = ModelSpec()

    def scale(self, lo: float = 0.004, hi: float = 0.2) -> np.float32:
        """Any in this range, each decade as likely as another."""
        return np.float32(np.exp(self.rng.uniform(np.log(lo), np.log(hi))))

    def zero_point(self) -> int:
        """Often an end of the range, or 0."""
        return int(self.rng.choice([-128, 127, 0, *self.rng.integers(-128, 128, 3)]))

    def shape(self, most: int = 5, size: int = 7) -> tuple[int, ...]:
        """Few dimensions, often 1."""
        rank = int(self.rng.integers(1, most + 1))
        return tuple(int(d) for d in self.rng.choice([1, *range(1, size + 1)], rank))

    def activation(self, shape: tuple[int, ...], scale: float | None = None) -> int:
        """An input or a result with a zero point of its own."""
        chosen = self.scale() if scale is None else scale
        return self.model.tensor(shape, scale=chosen, zero_point=self.zero_point())

    def operand(self, shape: tuple[int, ...], constant: bool) -> int:
        """What an operator reads: an input of the model, or a constant."""
        index = self.activation(shape)
        if constant:
            data = self.rng.integers(-128, 128, shape).astype(np.int8)
            self.model.tensors[index].data = data
        else:
            self.model.inputs.append(index)
        return index

    def part(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape that is broadcast to this one."""
        kept = tuple(int(self.rng.choice([d, d, 1])) for d in shape)
        return kept[int(self.rng.integers(len(kept) + 1)) :] if self.rng.random() < 0.4 else kept


def random_binary(kind: str, rng: np.random.Generator) -> ModelSpec:
    """Two operands: of one shape or broadcast, either a constant, perhaps one tensor twice."""
    maker = Maker(rng)
    shape = maker.shape()
    a, b = (shape, maker.part(shape)) if rng.random() < 0.5 else (maker.part(shape), shape)
    if rng.random() < 0.3:
        a, b = maker.part(shape), maker.part(shape)
    constant = rng.choice([-1, -1, 0, 1])
    first = maker.operand(a, bool(constant == 0))
    second = maker.operand(b, bool(constant == 1))
    if rng.random() < 0.1 and first in maker.model.inputs:
        second = first
        maker.model.inputs = [first]
    shapes = [maker.model.tensors[i].shape for i in (first, second)]
    output = maker.activation(np.broadcast_shapes(*shapes))
    operands = kind, [first, second], [output]
    if kind in FUSED:
        clamp = int(rng.choice([0, 0, 1, 3]))
        maker.model.operator(*operands, (FUSED[kind], {"FusedActivationFunction": clamp}))
    else:
        maker.model.operator(*operands)
    maker.model.outputs = [output]
    return maker.model


GENERATORS: dict[str, Callable[[str, np.random.Generator], ModelSpec]] = {
    **dict.fromkeys(BINARY, random_binary),
}
"""By TFLite's name of an operator: what makes a random model of it."""
