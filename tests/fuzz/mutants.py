"""Models that are wrong somewhere: random ones, changed in some fields or bytes."""

import copy
import struct
from typing import Any

import numpy as np

from tests.networks.make import random_network
from tests.tflite_builder import TYPES, ModelSpec, OperatorSpec, TensorSpec, write
from tests.tflite_kinds import MAKERS

SIZES = (0, 1, -1, 2, 3, 5, 7, 255, 4096, 65536, 1 << 20, (1 << 31) - 1, -(1 << 31))
SCALES = (0.0, float("nan"), float("inf"), -1.0, 1e-38, 1e-10, 1.0, 1e10, 1e38)
ZEROS = (-129, -128, 127, 128, 255, 32768, (1 << 31) - 1, -(1 << 63), (1 << 63) - 1)
INDICES = (-1, -1, -2, 1 << 20, (1 << 31) - 1)
NETWORKS = 0.1
"""How often a model has many operators."""


def base(rng: np.random.Generator) -> ModelSpec:
    """A sound model."""
    if rng.random() < NETWORKS:
        return random_network(int(rng.integers(1 << 31)), 0)
    return MAKERS[str(rng.choice(sorted(MAKERS)))](rng)


def of_fields(rng: np.random.Generator, most: int = 3) -> bytes | None:
    """A model with some fields changed; None where they cannot be written."""
    spec = mutated(base(rng), rng, int(min(rng.integers(1, most + 1, 2))))
    try:
        return write(spec)
    except (AttributeError, IndexError, OverflowError, TypeError, ValueError, struct.error):
        return None


def of_bytes(rng: np.random.Generator) -> bytes:
    """A model with flipped, cut or overwritten bytes."""
    data = bytearray(write(base(rng)))
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(len(data)))
        form = rng.integers(6)
        if form < 3:
            data[at] ^= 1 << int(rng.integers(8))
        elif form == 3:
            data[at] = int(rng.integers(256))
        elif form == 4:
            number = int(rng.choice(np.array(SIZES)))
            data[at & ~3 : (at & ~3) + 4] = struct.pack("<i", number)
        elif rng.random() < 0.3:
            del data[at:]
            data += b"\0"
    return bytes(data)


def mutated(spec: ModelSpec, rng: np.random.Generator, changes: int) -> ModelSpec:
    """A copy with so many changes."""
    spec = copy.deepcopy(spec)
    for _ in range(changes):
        if rng.random() < 0.5 or not spec.operators:
            _tensor(_pick(rng, spec.tensors), rng)
        elif rng.random() < 0.9:
            _operator(spec, _pick(rng, spec.operators), rng)
        else:
            borders = spec.inputs if rng.random() < 0.5 else spec.outputs
            _indices(borders, len(spec.tensors), rng)
    return spec


def _pick(rng: np.random.Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _near(rng: np.random.Generator, value: int, extremes: tuple[int, ...]) -> int:
    """A number beside a number, or one far away from any."""
    close = (value + 1, value - 1, 2 * value, value // 2, -value)
    return int(_pick(rng, close if rng.random() < 0.5 else extremes))


def _tensor(tensor: TensorSpec, rng: np.random.Generator) -> None:
    match int(rng.integers(8)):
        case 0 | 1:
            _shape(tensor, rng)
        case 2:
            tensor.dtype = str(rng.choice(sorted(TYPES)))
        case 3:
            count = int(_pick(rng, (1, 1, 2, 7)))
            one = np.float32(_pick(rng, SCALES))
            tensor.scale = None if rng.random() < 0.2 else [one] * count
        case 4:
            tensor.zero_point = _near(rng, tensor.zero_point, ZEROS)
        case 5:
            _data(tensor, rng)
        case 6:
            tensor.is_variable = not tensor.is_variable
        case 7:
            tensor.axis = _near(rng, tensor.axis, SIZES)


def _shape(tensor: TensorSpec, rng: np.random.Generator) -> None:
    shape = list(tensor.shape)
    form = rng.random()
    if form < 0.15 or not shape:
        shape.insert(int(rng.integers(len(shape) + 1)), int(_pick(rng, SIZES)))
    elif form < 0.3:
        shape.pop(int(rng.integers(len(shape))))
    else:
        at = int(rng.integers(len(shape)))
        shape[at] = _near(rng, shape[at], SIZES)
    tensor.shape = tuple(shape)


def _data(tensor: TensorSpec, rng: np.random.Generator) -> None:
    if tensor.data is None:
        tensor.data = rng.integers(0, 256, int(rng.integers(1, 99))).astype(np.uint8)
    elif rng.random() < 0.3:
        tensor.data = None
    elif tensor.data.dtype.kind in "iu" and tensor.data.size:
        info = np.iinfo(tensor.data.dtype)
        flat = np.array(tensor.data).reshape(-1)
        at = int(rng.integers(flat.size))
        found = _near(rng, int(flat[at]), SIZES)
        flat[at] = min(max(found, info.min), info.max)
        tensor.data = flat[: int(rng.integers(1, flat.size + 1))] if rng.random() < 0.2 else flat


def _operator(spec: ModelSpec, op: OperatorSpec, rng: np.random.Generator) -> None:
    match int(rng.integers(6)):
        case 0:
            _indices(op.inputs, len(spec.tensors), rng)
        case 1:
            _indices(op.outputs, len(spec.tensors), rng)
        case 2:
            op.kind = str(rng.choice(sorted({kind.split()[0] for kind in MAKERS})))
        case 3:
            op.options = None
        case _:
            if isinstance(op.options, tuple) and op.options[1]:
                name, values = op.options
                key = _pick(rng, sorted(values))
                op.options = (name, values | {key: _value(values[key], rng)})
            elif isinstance(op.options, bytes):
                op.options = rng.integers(0, 256, len(op.options)).astype(np.uint8).tobytes()


def _value(value: Any, rng: np.random.Generator) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return _near(rng, value, SIZES)
    if isinstance(value, float):
        return float(_pick(rng, SCALES))
    if isinstance(value, list):
        return [_near(rng, v, SIZES) for v in value] + [0] * int(rng.integers(2))
    return value


def _indices(indices: list[int], count: int, rng: np.random.Generator) -> None:
    form = int(rng.integers(4))
    if form == 0 and indices:
        indices.pop(int(rng.integers(len(indices))))
    elif form == 1 or not indices:
        indices.append(int(rng.integers(count)))
    else:
        far = rng.random() < 0.3
        at = int(rng.integers(len(indices)))
        indices[at] = int(_pick(rng, INDICES)) if far else int(rng.integers(count))
