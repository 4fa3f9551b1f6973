"""Tensors of a TFLite file: as they stand there, and as tensors of a graph."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tflite.TensorType import TensorType

from compiler.frontends.tflite.schema import DTYPES, TYPE_NAMES
from compiler.frontends.tflite.source import Source, printable_name
from npu.errors import UnsupportedError
from npu.model.graph import DTYPE_RANGES, MAX_RANK, Quantization, Tensor


@dataclass(frozen=True)
class RawTensor:
    """A tensor before it is known to be needed.

    Attributes
    ----------
    is_constant : whether its contents are known before the model runs.
    known : contents that the file does not hold, but that follow from constants of it; of a
        variable those that it begins with.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    is_variable: bool
    is_constant: bool
    is_sparse: bool
    scales: int
    buffer: int
    table: Any
    known: np.ndarray | None = None

    def __str__(self) -> str:
        return f"{TYPE_NAMES.get(self.type, self.type)} {list(self.shape)}"

    @property
    def is_shifted(self) -> bool:
        """Whether it has a zero point other than 0."""
        quantization = self.table.Quantization()
        return quantization is not None and bool(np.any(quantization.ZeroPointAsNumpy()))

    @property
    def scale(self) -> float:
        """The first of its scales; 0 where it is not quantised."""
        quantization = self.table.Quantization()
        return float(quantization.Scale(0)) if self.scales else 0.0

    @property
    def zero_point(self) -> int:
        """The integer that stands for zero; 0 where it is not quantised."""
        quantization = self.table.Quantization()
        if quantization is None or not quantization.ZeroPointLength():
            return 0
        return int(quantization.ZeroPoint(0))


def raw_tensors(source: Source) -> list[RawTensor]:
    """All tensors of the open subgraph."""
    count = source.count("tensor", source.subgraph.TensorsLength())
    raw = [_raw_tensor(source, index) for index in range(count)]
    # A constant without elements has no contents to be known by.
    empty = {i for i, t in enumerate(raw) if 0 in t.shape and not t.is_variable}
    if empty:
        empty -= set(source.indices(source.subgraph.InputsAsNumpy(), count, optional=False))
        for i in source.operators():
            outputs = source.subgraph.Operators(i).OutputsAsNumpy()
            empty -= set(source.indices(outputs, count, optional=False))
    return [replace(t, is_constant=True) if i in empty else t for i, t in enumerate(raw)]


def _raw_tensor(source: Source, index: int) -> RawTensor:
    source.place = f"tensor {index}"
    table = source.subgraph.Tensors(index)
    name = table.Name()
    buffer = table.Buffer()
    if buffer >= source.buffers:
        raise source.damaged(f"its buffer must be below {source.buffers}, not {buffer}")
    shape = table.ShapeAsNumpy()
    quantization = table.Quantization()
    is_variable = bool(table.IsVariable())
    stored = source.model.Buffers(buffer)
    if stored.Offset() > 1:
        raise UnsupportedError(
            f"{source.name}: {source.place}: contents stored outside of the flatbuffer "
            f"are not supported"
        )
    return RawTensor(
        printable_name((name or b"")[:200].decode("utf-8", "replace")),
        () if isinstance(shape, int) else tuple(_dimension(d) for d in shape[: MAX_RANK + 1]),
        table.Type(),
        is_variable,
        not is_variable and stored.DataLength() > 0,
        table.Sparsity() is not None,
        0 if quantization is None else quantization.ScaleLength(),
        buffer,
        table,
    )


def _dimension(size: int) -> int:
    """A dimension; one that is open, a batch's, becomes 1."""
    return 1 if size == -1 else int(size)


def graph_tensor(source: Source, index: int, raw: RawTensor) -> Tensor:
    """A tensor with its contents. Raises UnsupportedError for a type that does not run."""
    source.place = f"tensor {index} ({raw.name:.60})"
    if raw.type not in DTYPES:
        kind = TYPE_NAMES.get(raw.type, f"number {raw.type}")
        raise UnsupportedError(
            f"{source.name}: {source.place}: type {kind} is not supported; "
            f"quantise the model to int8"
        )
    dtype = DTYPES[raw.type]
    data = contents(source, raw) if raw.is_constant else None
    # Converters note the range of real numbers, too.
    quantized = dtype in DTYPE_RANGES
    table, rank = raw.table.Quantization(), len(raw.shape)
    quantization = _quantization(source, table, rank) if quantized else None
    initial = raw.known if raw.is_variable else None
    return Tensor(raw.name, raw.shape, dtype, quantization, data, raw.is_variable, initial)


def contents(source: Source, raw: RawTensor) -> np.ndarray:
    """What a constant of a type that is read holds, read-only.

    Raises ModelError where that does not fit its shape.
    """
    if raw.known is not None:
        return raw.known
    dtype, is_int4 = DTYPES[raw.type], raw.type == TensorType.INT4
    stored = source.model.Buffers(raw.buffer).DataAsNumpy()
    # No vector at all is 0 to the reader.
    data = np.zeros(0, np.uint8) if isinstance(stored, int) else stored
    elements = math.prod(raw.shape)
    size = -(-elements // 2) if is_int4 else elements * int(np.dtype(dtype).itemsize)
    if len(data) != size or any(d < 0 for d in raw.shape):
        raise source.damaged(f"its contents must be {size} bytes for {raw}, not {len(data)}")
    data = _nibbles(data)[:elements] if is_int4 else _elements(data, dtype)
    data = data.reshape(raw.shape)
    data.flags.writeable = False
    return data


def _elements(data: np.ndarray, dtype: str) -> np.ndarray:
    """Aligned and in the order of this machine."""
    if dtype == "bool":
        return data != 0
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<")).astype(dtype)


def _nibbles(data: np.ndarray) -> np.ndarray:
    """Two elements a byte, the lower half first, each with its sign."""
    both = np.stack([data << 4, data & 0xF0], axis=1).view(np.int8)
    return both.reshape(-1) >> 4


def _quantization(source: Source, table: Any, rank: int) -> Quantization | None:
    if table is None or table.ScaleLength() == 0:
        return None
    scale = table.ScaleAsNumpy().astype(np.float32)
    zero_points = table.ZeroPointAsNumpy()
    zero_point = 0
    if not isinstance(zero_points, int) and len(zero_points):
        if len(zero_points) not in (1, len(scale)) or np.any(zero_points != zero_points[0]):
            raise source.damaged(
                f"its {len(scale)} scales must share one zero point, not {zero_points[:4].tolist()}"
            )
        zero_point = int(zero_points[0])
    scale.flags.writeable = False
    # A vector has one axis; older converters write that of the weights at a bias, and nobody cares.
    axis = 0 if rank == 1 else table.QuantizedDimension()
    return Quantization(scale, zero_point, axis)
