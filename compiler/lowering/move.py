"""Elements that stay what they are: nothing to do where they may stay where they are."""

import numpy as np

from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, copy, fill
from npu.model.operators.move import Copy, Reshape


def lower(site: GraphLowering, op: Reshape, params: None) -> None:
    """The output is the input's buffer; who reads it sees to the other shape."""
    site.place(op.output, site.buffer(op.input))


def lower_copy(site: GraphLowering, op: Copy, params: None) -> None:
    """A walk for each piece, over what is filled."""
    sources = [site.buffer(index).whole() for index in op.inputs]
    targets = [site.new(index).whole() for index in op.outputs]
    if op.fill is not None:
        for index, dst in zip(op.outputs, targets, strict=True):
            dtype = np.dtype(site.graph.tensors[index].dtype)
            bits = np.array([op.fill]).astype(dtype).view(f"i{dtype.itemsize}")
            fill(site, dst, int(bits[0]))
    for piece in op.pieces:
        src, dst = sources[piece.source], targets[piece.target]
        a = Operand(src.part(piece.read.offset, src.n), piece.read.strides)
        out = Operand(dst.part(piece.written.offset, dst.n), piece.written.strides)
        copy(site, piece.read.sizes, out, a)


LOWER = {Reshape: lower, Copy: lower_copy}
