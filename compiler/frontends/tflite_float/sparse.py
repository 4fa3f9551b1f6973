"""Constants in TFLite's own sparse format, written out: what a DENSIFY gives.

Dimensions are stored in an order of their own, blocks' last; each is dense, or has the segments and
indices of what is stored (`DimensionMetadata` of the schema, as in TACO).
"""

import math
from typing import Any

import numpy as np
from tflite.DimensionType import DimensionType
from tflite.Int32Vector import Int32Vector
from tflite.SparseIndexVector import SparseIndexVector
from tflite.Uint8Vector import Uint8Vector
from tflite.Uint16Vector import Uint16Vector

from compiler.floats.graph import Array
from compiler.frontends.tflite.source import Source

_VECTORS = {
    SparseIndexVector.Int32Vector: Int32Vector,
    SparseIndexVector.Uint16Vector: Uint16Vector,
    SparseIndexVector.Uint8Vector: Uint8Vector,
}


def written_out(source: Source, table: Any, shape: tuple[int, ...], stored: Array) -> Array:
    """A constant of this shape whose elements that are not 0 are `stored`, in their order.

    Raises ModelError where its indices do not fit.
    """
    sparsity = table.Sparsity()
    order = [int(n) for n in _vector(sparsity.TraversalOrderAsNumpy())]
    blocks = [int(n) for n in _vector(sparsity.BlockMapAsNumpy())]
    metadata = [sparsity.DimMetadata(i) for i in range(sparsity.DimMetadataLength())]
    if sorted(order) != list(range(len(shape) + len(blocks))) or len(metadata) != len(order):
        raise source.damaged(f"its sparse dimensions {order} do not fit {list(shape)}")
    # Where each stored element lies along the dimensions so far.
    places = np.zeros((1, 0), np.int64)
    numbers = np.zeros(1, np.int64)
    sizes = _sizes(shape, order, blocks, metadata)
    for size, dimension in zip(sizes, metadata, strict=True):
        if dimension.Format() == DimensionType.DENSE:
            counts, at = np.full(len(places), size), np.tile(np.arange(size), len(places))
            numbers = (numbers[:, None] * size + np.arange(size)).reshape(-1)
        else:
            segments = _indices(dimension, "Segments")
            begin, end = segments[numbers], segments[numbers + 1]
            counts = end - begin
            spans = [np.arange(a, b) for a, b in zip(begin, end, strict=True)]
            numbers = np.concatenate(spans) if spans else np.zeros(0, np.int64)
            at = _indices(dimension, "Indices")[numbers]
        places = np.column_stack([np.repeat(places, counts, axis=0), at])
    if len(places) != len(stored):
        raise source.damaged(f"it has {len(stored)} elements, its indices {len(places)}")
    whole = np.zeros([sizes[order.index(d)] for d in range(len(order))], stored.dtype)
    whole[tuple(places[:, order.index(d)] for d in range(len(order)))] = stored
    return _joined(whole, shape, blocks)


def _sizes(
    shape: tuple[int, ...], order: list[int], blocks: list[int], metadata: list[Any]
) -> list[int]:
    """Of every dimension in its order; a block's is stored, the rest of its axis follows."""
    inner = {
        number: int(metadata[place].DenseSize())
        for place, number in enumerate(order)
        if number >= len(shape)
    }
    outer = list(shape)
    for number, axis in enumerate(blocks):
        outer[axis] //= max(1, inner[len(shape) + number])
    return [outer[n] if n < len(shape) else inner[n] for n in order]


def _joined(whole: Array, shape: tuple[int, ...], blocks: list[int]) -> Array:
    """Each block's dimension behind that of its axis, then both as one."""
    axes = []
    for axis in range(len(shape)):
        axes += [axis, *(len(shape) + n for n, of in enumerate(blocks) if of == axis)]
    turned = np.transpose(whole, axes)
    if turned.size != math.prod(shape):
        raise ValueError(f"blocks of {list(turned.shape)} do not fill {list(shape)}")
    return turned.reshape(shape)


def _indices(dimension: Any, what: str) -> Array:
    kind = getattr(dimension, f"Array{what}Type")()
    stored = getattr(dimension, f"Array{what}")()
    if kind not in _VECTORS or stored is None:
        raise ValueError(f"a sparse dimension has no {what.lower()}")
    vector = _VECTORS[kind]()
    vector.Init(stored.Bytes, stored.Pos)
    return np.asarray(_vector(vector.ValuesAsNumpy()), np.int64)


def _vector(found: Any) -> Any:
    return [] if isinstance(found, int) else found
