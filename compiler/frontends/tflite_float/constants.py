"""What constants of a float model hold: real numbers, also those that are stored as fewer bits."""

import numpy as np
from tflite.TensorType import TensorType

from compiler.floats.graph import Array
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor, contents
from compiler.frontends.tflite_float.sparse import written_out
from npu.errors import UnsupportedError

QUANTISED = (TensorType.INT8, TensorType.UINT8, TensorType.INT16, TensorType.INT4)
_PLAIN = {TensorType.FLOAT32: "<f4", TensorType.FLOAT16: "<f2", TensorType.INT8: "i1"}
REALS = (TensorType.FLOAT32, TensorType.FLOAT16)


def real_contents(source: Source, raw: RawTensor) -> Array:
    """A constant: reals as float32, integers with scales as what they stand for, others as stored.

    Raises ModelError where the contents do not fit the shape, UnsupportedError for a type or a form
    that is not read.
    """
    if raw.is_sparse or raw.type == TensorType.FLOAT16:
        held = _stored(source, raw)
    else:
        held = contents(source, raw)
    return _real(source, raw, held) if raw.type in QUANTISED and raw.scales else held


def _stored(source: Source, raw: RawTensor) -> Array:
    if raw.type not in _PLAIN:
        raise UnsupportedError(
            f"{source.name}: {source.place}: tensor {raw.name!r} is {raw} in TFLite's own sparse "
            "format, which is read of float32, float16 and int8; convert the model without it"
        )
    stored = source.model.Buffers(raw.buffer).DataAsNumpy()
    data = np.zeros(0, np.uint8) if isinstance(stored, int) else stored
    kind = np.dtype(_PLAIN[raw.type])
    elements = len(data) // kind.itemsize
    needed = elements if raw.is_sparse else int(np.prod(raw.shape, dtype=np.int64))
    if len(data) != needed * kind.itemsize:
        size = needed * kind.itemsize
        raise source.damaged(f"its contents must be {size} bytes for {raw}, not {len(data)}")
    held = np.frombuffer(data, kind)
    held = held.astype(np.float32) if kind.kind == "f" else held
    if raw.is_sparse:
        return written_out(source, raw.table, raw.shape, held)
    return held.reshape(raw.shape)


def _real(source: Source, raw: RawTensor, held: Array) -> Array:
    table = raw.table.Quantization()
    scales = np.asarray(table.ScaleAsNumpy(), np.float32)
    zeros = table.ZeroPointAsNumpy()
    zero = np.zeros(1, np.int64) if isinstance(zeros, int) or not len(zeros) else np.asarray(zeros)
    along = [1] * held.ndim
    if len(scales) > 1:
        axis = table.QuantizedDimension()
        if not 0 <= axis < held.ndim or held.shape[axis] != len(scales):
            raise source.damaged(f"its {len(scales)} scales do not fit {raw} along axis {axis}")
        along[axis] = len(scales)
    moved = held.astype(np.int64) - zero.reshape(along if len(zero) > 1 else [1] * held.ndim)
    return np.asarray(moved.astype(np.float32) * scales.reshape(along), np.float32)
