"""Operators that pick by index, and those that change an element's type."""

from collections.abc import Iterator

import numpy as np
from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.moves import moving
from compiler.frontends.tflite.schema import DTYPES
from compiler.frontends.tflite.site import Site
from npu.model.boxes import Box, Piece, Run, mapped, runs_of
from npu.model.operators.gather import Gather
from npu.model.operators.rescale import Quantize
from npu.model.operators.retype import FROM_REAL, REQUANTIZED, TO_REAL, FromReal, Requantize, ToReal
from npu.model.operators.update import UpdateSlice
from npu.model.references import Operator

_FEW_RUNS = 256
"""Up to so many copies known indices become boxes."""


def gather(name: str, site: Site, tensor: Number) -> Operator | None:
    """GATHER: along any axis, with common axes; known indices become boxes that are copied."""
    table, indices = site.input(0), site.input(1)
    axis = batch = 0
    if site.options is not None:
        axis, batch = site.options.Axis(), site.options.BatchDims()
    axis = site.axis(axis, len(table.shape))
    batch += len(indices.shape) if batch < 0 else 0
    known = site.constant(1)
    if known is not None and batch == 0:
        runs = _known_runs(site, axis, known.reshape(-1).tolist())
        if len(runs) <= _FEW_RUNS:
            return moving(lambda site: _picked(site, axis, runs))(name, site, tensor)
    of, by = (tensor(i) for i in site.inputs)
    return Gather(name, of, by, tensor(site.outputs[0]), axis, batch)


def embedding_lookup(name: str, site: Site, tensor: Number) -> Operator:
    """EMBEDDING_LOOKUP, whose indices come first: whole rows."""
    indices, table = (tensor(i) for i in site.inputs)
    return Gather(name, table, indices, tensor(site.outputs[0]))


def _known_runs(site: Site, axis: int, indices: list[int]) -> list[Run]:
    size = site.input(0).shape[axis]
    for index in indices:
        site.require(0 <= index < size, f"an index must be 0 to {size - 1}, not {index}")
    return runs_of(indices)


def _picked(site: Site, axis: int, runs: list[Run]) -> Iterator[Piece]:
    shape, indices = site.input(0).shape, site.input(1).shape
    before, behind = shape[:axis], shape[axis + 1 :]
    site.require(
        site.output().shape == (*before, *indices, *behind),
        f"its output must be {[*before, *indices, *behind]}, not {list(site.output().shape)}",
    )
    count = sum(run.count for run in runs)
    piece = Piece(0, 0, Box.whole(shape), Box.whole((*before, count, *behind)))
    axes = [[Run(0, 1, n, 0, 1)] for n in shape]
    axes[axis] = runs
    yield from mapped(piece, axes)


def shape(name: str, site: Site, tensor: Number) -> None:
    """SHAPE: known when the file is read, so that nothing is left to run."""
    found = np.array(site.input(0).shape, np.int32)
    site.require(
        site.output().shape == found.shape,
        f"its output must be {list(found.shape)}, not {list(site.output().shape)}",
    )
    found.flags.writeable = False
    site.know(0, found)


def int32_output(site: Site) -> bool:
    """the output is int32"""
    return site.output().type == TensorType.INT32


def update_slice(name: str, site: Site, tensor: Number) -> Operator:
    """DYNAMIC_UPDATE_SLICE."""
    source, update, start = (tensor(i) for i in site.inputs)
    return UpdateSlice(name, source, update, start, tensor(site.outputs[0]))


def _types(site: Site) -> tuple[str, str]:
    return DTYPES[site.input(0).type], DTYPES[site.output().type]


_QUANTIZED = REQUANTIZED | {"int8": ("int8", *REQUANTIZED["int8"]), "float32": FROM_REAL}


def quantizable(site: Site) -> bool:
    source, output = _types(site)
    return output in _QUANTIZED.get(source, ())


quantizable.__doc__ = "it goes " + ", ".join(
    f"from {source} to {' or '.join(outputs)}" for source, outputs in _QUANTIZED.items()
)


def dequantizable(site: Site) -> bool:
    """it goes from int8, int16 or uint8 to float32"""
    source, output = _types(site)
    return source in TO_REAL and output == "float32"


def quantize(name: str, site: Site, tensor: Number) -> Operator:
    """QUANTIZE, by its types."""
    source, output = _types(site)
    kind = FromReal if source == "float32" else Requantize
    operands = tensor(site.inputs[0]), tensor(site.outputs[0])
    return Quantize(name, *operands) if source == output == "int8" else kind(name, *operands)


def dequantize(name: str, site: Site, tensor: Number) -> Operator:
    """DEQUANTIZE."""
    return ToReal(name, tensor(site.inputs[0]), tensor(site.outputs[0]))
