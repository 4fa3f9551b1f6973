"""What a `.tflite` file says of itself: read by the published schema alone, so that a model that is
refused has operators and inputs, too."""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tflite
from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType

NAMES = {number: name for name, number in vars(BuiltinOperator).items() if isinstance(number, int)}
TYPES = {number: name.lower() for name, number in vars(TensorType).items() if name.isupper()}
# By operator: which of its inputs are indices, and of which input's axis 0 (GATHER: its axis).
INDICES = {BuiltinOperator.GATHER: (1, 0), BuiltinOperator.EMBEDDING_LOOKUP: (0, 1)}
DAMAGE = (struct.error, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the schema's classes raise on bytes that are no model."""


@dataclass(frozen=True)
class Input:
    """An input of a model.

    Attributes
    ----------
    shape : with every dynamic size 1, as TensorFlow Lite Micro takes it.
    dtype : of numpy.
    scale, zero_point : 0 and 0 where it is not quantised.
    limit : indices must be below it; None where it is no index.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class Facts:
    """A model file.

    Attributes
    ----------
    operators : how many there are of each, by name, of all subgraphs.
    inputs : of the first subgraph, which TensorFlow Lite Micro runs; `outputs` are as many.
    """

    operators: dict[str, int]
    inputs: tuple[Input, ...]
    outputs: int = 0


def model_files(places: list[Path]) -> list[Path]:
    """The models in folders, and those named themselves, each once."""
    found: dict[Path, None] = {}
    for place in places:
        files = sorted(place.rglob("*.tflite")) if place.is_dir() else [place]
        found.update(dict.fromkeys(files))
    return list(found)


def facts(data: bytes) -> Facts:
    """What the bytes of a file say. Raises one of DAMAGE where they are no model."""
    model = tflite.Model.GetRootAs(data, 0)
    count = Counter(
        name for s in range(model.SubgraphsLength()) for name, _ in _operators(model, s)
    )
    graph = model.Subgraphs(0)
    limits = _limits(model, graph)
    inputs = []
    for index in map(int, graph.InputsAsNumpy()) if graph.InputsLength() else ():
        tensor = graph.Tensors(index)
        scale, zero_point = _quantization(tensor)
        inputs.append(Input(_shape(tensor), dtype(tensor), scale, zero_point, limits.get(index)))
    return Facts(dict(sorted(count.items())), tuple(inputs), graph.OutputsLength())


def dtype(tensor: Any) -> str:
    """The element type of a tensor, as numpy calls it."""
    return TYPES[tensor.Type()]


def _operators(model: Any, subgraph: int) -> Iterator[tuple[str, Any]]:
    graph = model.Subgraphs(subgraph)
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = NAMES.get(builtin, str(builtin))
        if code.CustomCode():
            name = f"{name} {code.CustomCode().decode('utf-8', 'replace')}"
        yield name, operator


def _shape(tensor: Any) -> tuple[int, ...]:
    signature = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else ()
    sizes = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
    dynamic = {axis for axis, size in enumerate(signature) if size < 0}
    return tuple(1 if axis in dynamic else int(size) for axis, size in enumerate(sizes))


def _quantization(tensor: Any) -> tuple[float, int]:
    quantization = tensor.Quantization()
    if quantization is None or not quantization.ScaleLength():
        return 0.0, 0
    zero_point = int(quantization.ZeroPoint(0)) if quantization.ZeroPointLength() else 0
    return float(quantization.Scale(0)), zero_point


def _limits(model: Any, graph: Any) -> dict[int, int]:
    """By tensor: what its values must stay below, because they are indices."""
    found: dict[int, int] = {}
    for name, operator in _operators(model, 0):
        code = getattr(BuiltinOperator, name, None)
        if code not in INDICES:
            continue
        indices, table = (int(operator.Inputs(position)) for position in INDICES[code])
        axis = 0
        if code == BuiltinOperator.GATHER and operator.BuiltinOptions() is not None:
            options = tflite.GatherOptions()
            options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
            axis = options.Axis()
        size = int(graph.Tensors(table).Shape(axis))
        found[indices] = min(size, found.get(indices, size))
    return found
