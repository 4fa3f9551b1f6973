"""Random TFLite models of int16: one operator, or a cell whose state and elements are int16."""

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.tflite_builder import ModelSpec
from tests.tflite_math import FUSED, Maker

UNIT = np.float32(2.0**-15)


def _operand(maker: Maker, shape: tuple[int, ...], scale: np.float32, constant: bool) -> int:
    index = maker.model.tensor(shape, "int16", scale)
    if constant:
        data = maker.rng.integers(-32768, 32768, shape).astype(np.int16)
        data[maker.rng.random(shape) < 0.1] = -32768
        maker.model.tensors[index].data = data
    else:
        maker.model.inputs.append(index)
    return index


def random_pair(kind: str, rng: np.random.Generator) -> ModelSpec:
    """Two operands: of one shape or broadcast, either a constant, perhaps one tensor twice.

    Of a sum all scales are one; of a product each is its own, some of them powers of two."""
    maker = Maker(rng)
    shape = maker.shape()
    a, b = (shape, maker.part(shape)) if rng.random() < 0.5 else (maker.part(shape), shape)
    scales = [maker.scale(2.0**-15, 2.0**-6) for _ in range(3)]
    if rng.random() < 0.5:
        scales = [np.float32(2.0 ** int(rng.integers(-15, -6))) for _ in range(3)]
    if rng.random() < 0.2:
        # Products that pass the ends of int16, or are so large that they wrap.
        scales[2] = np.float32(scales[0] * scales[1] * rng.uniform(0.3, 4))
    if kind != "MUL":
        scales = [scales[0]] * 3
    constant = rng.choice([-1, -1, 0, 1])
    first = _operand(maker, a, scales[0], bool(constant == 0))
    second = _operand(maker, b, scales[1], bool(constant == 1))
    if rng.random() < 0.1 and first in maker.model.inputs:
        second, maker.model.inputs = first, [first]
    shapes = [maker.model.tensors[i].shape for i in (first, second)]
    output = maker.model.tensor(np.broadcast_shapes(*shapes), "int16", scales[2])
    clamp = int(rng.choice([0, 0, 1, 3])) if kind == "MUL" else 0
    options = (FUSED[kind], {"FusedActivationFunction": clamp})
    maker.model.operator(kind, [first, second], [output], options)
    maker.model.outputs = [output]
    return maker.model


def random_sigmoid(kind: str, rng: np.random.Generator) -> ModelSpec:
    """Values through a function; scales of which TFLM takes some for powers of two."""
    maker = Maker(rng)
    scale = maker.scale(5e-5, 2)
    if rng.random() < 0.5:
        scale = np.float32(2.0 ** int(rng.integers(-14, 2)))
    if rng.random() < 0.3:
        # As near to a power of two as TFLM asks for, or just beyond.
        scale = np.float32(2.0 ** (int(rng.choice([-12, -11])) + rng.uniform(-2e-3, 2e-3)))
    source = _operand(maker, (1, 900), scale, False)
    output = maker.model.tensor((1, 900), "int16", UNIT)
    maker.model.operator(kind, [source], [output])
    maker.model.outputs = [output]
    return maker.model


def random_cell(rng: np.random.Generator) -> ModelSpec:
    """A cell of gates around a state of int16: state = f * state + (1 - f) * tanh(x)."""
    maker = Maker(rng)
    m, units = maker.model, int(rng.integers(1, 40))
    shape, step = (1, units), np.float32(2.0 ** int(rng.integers(-15, -11)))

    def wide(scale: np.float32, n: int = units) -> int:
        return m.tensor((1, n), "int16", scale)

    x = m.tensor((1, 2 * units), scale=maker.scale(0.02, 0.1), zero_point=maker.zero_point())
    state = ("VarHandleOptions", {"SharedName": "state"})
    handle, old = m.tensor((), "resource"), wide(step)
    m.operator("VAR_HANDLE", [], [handle], state)
    m.operator("READ_VARIABLE", [handle], [old])
    both = wide(np.float32(2.0 ** int(rng.integers(-12, -10))), 2 * units)
    m.operator("QUANTIZE", [x], [both])
    axis = m.tensor((), "int32", data=np.array(1, np.int32))
    parts = [wide(m.tensors[both].scale) for _ in range(2)]
    m.operator("SPLIT", [axis, both], parts, ("SplitOptions", {"NumSplits": 2}))
    f, g, one, rest = wide(UNIT), wide(UNIT), wide(UNIT), wide(UNIT)
    m.operator("LOGISTIC", [parts[0]], [f])
    m.operator("TANH", [parts[1]], [g])
    m.tensors[one].shape, m.tensors[one].data = (1,), np.array([32767], np.int16)
    m.operator("SUB", [one, f], [rest], ("SubOptions", {}))
    kept, added, new = wide(step), wide(step), wide(step)
    m.operator("MUL", [f, old], [kept], ("MulOptions", {}))
    m.operator("MUL", [rest, g], [added], ("MulOptions", {}))
    m.operator("ADD", [kept, added], [new], ("AddOptions", {}))
    y = m.tensor(shape, scale=np.float32(step * 256), zero_point=maker.zero_point())
    m.operator("QUANTIZE", [new], [y])
    m.operator("ASSIGN_VARIABLE", [handle, new], [])
    begin = ModelSpec()
    initial = rng.integers(-32768, 32768, shape).astype(np.int16)
    value = begin.tensor(shape, "int16", step, data=initial)
    again = begin.tensor((), "resource")
    begin.operator("VAR_HANDLE", [], [again], state)
    begin.operator("ASSIGN_VARIABLE", [again, value], [])
    m.others = [begin]
    m.operators.insert(0, type(m.operators[0])("CALL_ONCE", [], []))
    m.operators[0].options = ("CallOnceOptions", {"InitSubgraphIndex": 1})
    m.inputs, m.outputs = [x], [y, new]
    return m


WIDE: dict[str, Callable[[np.random.Generator], ModelSpec]] = {
    **{f"{kind} int16": partial(random_pair, kind) for kind in ("ADD", "SUB", "MUL")},
    **{f"{kind} int16": partial(random_sigmoid, kind) for kind in ("TANH", "LOGISTIC")},
    "VARIABLES int16": random_cell,
}
"""By TFLite's name of an operator: what makes a random model of it in int16."""
