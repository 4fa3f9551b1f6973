"""Tensors of a TFLite file: as they stand there, and as tensors of a graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.frontends.tflite.schema import DTYPES, TYPE_NAMES
from compiler.frontends.tflite.source import Source, printable_name
from npu.errors import UnsupportedError
from npu.model.graph import MAX_RANK, Quantization, Tensor


@dataclass(frozen=True)
class RawTensor:
    """A tensor before it is known to be needed."""

    name: str
    shape: tuple[int, ...]
    type: int
    is_variable: bool
    is_constant: bool
    is_sparse: bool
    scales: int
    buffer: int
    table: Any

    def __str__(self) -> str:
        return f"{TYPE_NAMES.get(self.type, self.type)} {list(self.shape)}"

    @property
    def is_shifted(self) -> bool:
        """Whether it has a zero point other than 0."""
        quantization = self.table.Quantization()
        return quantization is not None and bool(np.any(quantization.ZeroPointAsNumpy()))


def raw_tensors(source: Source) -> list[RawTensor]:
    """All tensors of the open subgraph."""
    count = source.count("tensor", source.subgraph.TensorsLength())
    return [_raw_tensor(source, index) for index in range(count)]


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
    contents = source.model.Buffers(buffer)
    if contents.Offset() > 1:
        raise UnsupportedError(
            f"{source.name}: {source.place}: contents stored outside of the flatbuffer "
            f"are not supported"
        )
    return RawTensor(
        printable_name((name or b"")[:200].decode("utf-8", "replace")),
        () if isinstance(shape, int) else tuple(int(d) for d in shape[: MAX_RANK + 1]),
        table.Type(),
        is_variable,
        not is_variable and contents.DataLength() > 0,
        table.Sparsity() is not None,
        0 if quantization is None else quantization.ScaleLength(),
        buffer,
        table,
    )


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
    data = _contents(source, raw, dtype) if raw.is_constant else None
    quantization = _quantization(source, raw.table.Quantization())
    return Tensor(raw.name, raw.shape, dtype, quantization, data, raw.is_variable)


def _contents(source: Source, raw: RawTensor, dtype: str) -> np.ndarray:
    contents = source.model.Buffers(raw.buffer).DataAsNumpy()
    size = int(np.dtype(dtype).itemsize)
    for dimension in raw.shape:
        size *= dimension
    if len(contents) != size or any(d <= 0 for d in raw.shape):
        raise source.damaged(
            f"its contents must be {size} bytes for {dtype} {list(raw.shape)}, not {len(contents)}"
        )
    data = np.frombuffer(contents, np.dtype(dtype).newbyteorder("<"))
    # A copy is aligned and in the order of this machine.
    data = data.astype(dtype).reshape(raw.shape)
    data.flags.writeable = False
    return data


def _quantization(source: Source, table: Any) -> Quantization | None:
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
    return Quantization(scale, zero_point, table.QuantizedDimension())
