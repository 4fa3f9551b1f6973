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
        """An input or a result with a zero point of its own, and now and then an odd scale."""
        usual = self.scale() if self.rng.random() < 0.95 else self.scale(1e-4, 10)
        chosen = usual if scale is None else scale
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


def random_function(kind: str, rng: np.random.Generator) -> ModelSpec:
    """All 256 values through a function; scales that often leave most of them in range."""
    maker = Maker(rng)
    wide = rng.random() < 0.2
    source = maker.operand((1, 256), False)
    tensor = maker.model.tensors[source]
    tensor.scale = maker.scale(1e-5, 1e3) if wide else maker.scale(0.002, 0.5)
    if rng.random() < 0.2:
        tensor.scale = np.float32(2.0 ** int(rng.integers(-10, 4)))
    if kind == "RSQRT":
        tensor.zero_point = -128  # below it TFLM fails
    near = {"RSQRT": 0.01 / np.sqrt(tensor.scale), "EXP": 0.05}
    middle = near.get(kind, tensor.scale)
    output = maker.activation((1, 256), np.float32(middle * maker.scale(0.3, 5)))
    if kind == "HARD_SWISH":
        maker.model.tensors[output].scale = np.float32(tensor.scale * maker.scale(0.02, 3))
    if kind == "ABS" and rng.random() < 0.3:
        maker.model.tensors[output].scale = tensor.scale
    alpha = float(rng.choice([0.0, 0.01, 0.3, 1.0, 2.5, -0.4, rng.uniform(-1, 1)]))
    options = [("LeakyReluOptions", {"Alpha": alpha})] if kind == "LEAKY_RELU" else []
    maker.model.operator(kind, [source], [output], *options)
    maker.model.outputs = [output]
    return maker.model


def random_rows(kind: str, rng: np.random.Generator) -> ModelSpec:
    """Rows of any length, scales from flat to steep."""
    maker = Maker(rng)
    shape = maker.shape(4)
    if rng.random() < 0.2:
        shape = (1, int(rng.integers(200, 510)))
    source = maker.operand(shape, False)
    wide = rng.random() < 0.2
    maker.model.tensors[source].scale = maker.scale(1e-7, 1e4) if wide else maker.scale(0.002, 2)
    scale, zero_point = {"SOFTMAX": (1 / 256, -128), "LOG_SOFTMAX": (1 / 16, 127)}.get(
        kind, (1 / 128, 0)
    )
    dtype = "int8"
    if kind == "SOFTMAX" and rng.random() < 0.3:
        dtype, scale, zero_point = (
            "int16",
            np.float32(1 / float(rng.choice([65535, 65536]))),
            -32768,
        )
    output = maker.model.tensor(shape, dtype, scale=scale, zero_point=zero_point)
    options = []
    if kind == "SOFTMAX":
        options = [("SoftmaxOptions", {"Beta": float(rng.choice([1.0, 1.0, 0.3, 7.5]))})]
    if kind == "L2_NORMALIZATION":
        options = [("L2NormOptions", {"FusedActivationFunction": 0})]
    maker.model.operator(kind, [source], [output], *options)
    maker.model.outputs = [output]
    return maker.model


def random_reduction(kind: str, rng: np.random.Generator) -> ModelSpec:
    """Along any axes, some counted from the end, some twice, or none at all."""
    maker = Maker(rng)
    shape = maker.shape(5, 9)
    rank = len(shape)
    source = maker.operand(shape, False)
    axes = [int(a) for a in rng.integers(-rank, rank, int(rng.integers(0, rank + 2)))]
    if rank == 4 and rng.random() < 0.5:
        axes = [1, 2]
    keep = bool(rng.random() < 0.5)
    named = {axis % rank for axis in axes}
    kept = [1 if axis in named else size for axis, size in enumerate(shape)]
    left = [size for axis, size in enumerate(shape) if axis not in named]
    output = maker.activation(tuple(kept if keep else left))
    if kind.startswith("REDUCE"):
        for field in ("scale", "zero_point"):
            value = getattr(maker.model.tensors[source], field)
            setattr(maker.model.tensors[output], field, value)
    elif rng.random() < 0.2:
        maker.model.tensors[output].scale = maker.scale(1e-6, 1e4)
    data = np.array(axes, np.int32)
    if len(axes) == 1 and rng.random() < 0.5:
        data = data.reshape(())
    tensor = maker.model.tensor(data.shape, "int32", data=data)
    maker.model.operator(kind, [source, tensor], [output], ("ReducerOptions", {"KeepDims": keep}))
    maker.model.outputs = [output]
    return maker.model


def random_search(kind: str, rng: np.random.Generator) -> ModelSpec:
    """Along any axis, perhaps counted from the end."""
    maker = Maker(rng)
    shape = maker.shape(5, 12)
    source = maker.operand(shape, False)
    axis = int(rng.integers(-len(shape), len(shape)))
    left = [size for at, size in enumerate(shape) if at != axis % len(shape)]
    data = np.array(axis, np.int32).reshape(() if rng.random() < 0.5 else (1,))
    tensor = maker.model.tensor(data.shape, "int32", data=data)
    output = maker.model.tensor(tuple(left), "int32")
    name = "ArgMaxOptions" if kind == "ARG_MAX" else "ArgMinOptions"
    maker.model.operator(kind, [source, tensor], [output], (name, {"OutputType": 2}))
    maker.model.outputs = [output]
    return maker.model


def random_island(kind: str, rng: np.random.Generator) -> ModelSpec:
    """All 256 values through a function of real numbers amid int8."""
    maker = Maker(rng)
    lo, hi = (1e-3, 0.3)
    return island(
        kind, (maker.scale(lo, hi), maker.scale(lo, hi)), (maker.zero_point(), maker.zero_point())
    )


def island(function: str, scales: tuple[float, float], zero_points: tuple[int, int]) -> ModelSpec:
    """int8 -> DEQUANTIZE -> a function -> QUANTIZE -> int8, of all values."""
    m = ModelSpec()
    source = m.tensor((1, 256), "int8", scales[0], zero_points[0])
    real, result = m.tensor((1, 256), "float32"), m.tensor((1, 256), "float32")
    output = m.tensor((1, 256), "int8", scales[1], zero_points[1])
    m.operator("DEQUANTIZE", [source], [real])
    m.operator(function, [real], [result])
    m.operator("QUANTIZE", [result], [output])
    m.inputs, m.outputs = [source], [output]
    return m


REDUCTIONS = ["MEAN", "REDUCE_MAX", "REDUCE_MIN", "SUM"]
SEARCHES = ["ARG_MAX", "ARG_MIN"]
ROWS = ["L2_NORMALIZATION", "LOG_SOFTMAX", "SOFTMAX"]
ISLANDS = ["COS", "NEG", "SIN", "SQUARE"]
FUNCTIONS = ["ABS", "ELU", "HARD_SWISH", "LEAKY_RELU", "RELU6", "RSQRT"]
GENERATORS: dict[str, Callable[[str, np.random.Generator], ModelSpec]] = {
    **dict.fromkeys(BINARY, random_binary),
    **dict.fromkeys(FUNCTIONS, random_function),
    **dict.fromkeys(REDUCTIONS, random_reduction),
    **dict.fromkeys(SEARCHES, random_search),
    **dict.fromkeys(ROWS, random_rows),
}
"""By TFLite's name of an operator: what makes a random model of it."""
