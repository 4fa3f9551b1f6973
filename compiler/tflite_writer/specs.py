"""What a model of TFLite is made of: tensors, operators, signatures."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tflite.TensorType import TensorType

TYPES = {
    "int8": TensorType.INT8,
    "int16": TensorType.INT16,
    "int32": TensorType.INT32,
    "float32": TensorType.FLOAT32,
    "uint8": TensorType.UINT8,
    "int64": TensorType.INT64,
    "bool": TensorType.BOOL,
    "int4": TensorType.INT4,
    "resource": TensorType.RESOURCE,
}


@dataclass
class TensorSpec:
    """One tensor.

    Attributes
    ----------
    scale : one or many, None for no table of quantisation, () for an empty one
    data : the constant's; tensors whose `data` are one array share a buffer
    limit : of indices that a call gives, how many there are to pick from; it is not written
    axis : the dimension that many scales belong to
    name : "t" and the number where it is None
    no_buffer : whether it has the empty buffer of all, as intermediates of operators have
    """

    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: Any = None
    zero_point: int = 0
    data: np.ndarray | None = None
    is_variable: bool = False
    limit: int | None = None
    axis: int = 0
    name: str | None = None
    no_buffer: bool = False


@dataclass
class OperatorSpec:
    """`options` are (class name of the schema, {field: value}), or the bytes of a custom operator.

    A `kind` that the schema does not know is a custom operator's. `intermediates` are tensors that
    say only how values within the operator are quantised.
    """

    kind: str
    inputs: list[int]
    outputs: list[int]
    options: tuple[str, dict[str, Any]] | bytes | None = None
    intermediates: list[int] = field(default_factory=list)
    version: int = 1


@dataclass(frozen=True)
class Signature:
    """A name for a subgraph, and names for the tensors at its ends."""

    key: str
    subgraph: int = 0
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)


@dataclass
class ModelSpec:
    """A subgraph, `subgraphs` times, and `others` behind it; `signatures` name subgraphs.

    `name` is the subgraph's, `description` the whole model's; neither is written where it is empty.
    """

    tensors: list[TensorSpec] = field(default_factory=list)
    operators: list[OperatorSpec] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    subgraphs: int = 1
    others: list["ModelSpec"] = field(default_factory=list)
    signatures: list[Signature] = field(default_factory=list)
    name: str = ""
    description: str = ""

    def tensor(self, *args: Any, **kwargs: Any) -> int:
        """Append a TensorSpec. Returns its index."""
        self.tensors.append(TensorSpec(*args, **kwargs))
        return len(self.tensors) - 1

    def operator(self, *args: Any, **kwargs: Any) -> None:
        """Append an OperatorSpec."""
        self.operators.append(OperatorSpec(*args, **kwargs))
