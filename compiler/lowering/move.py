"""Elements that stay what they are: nothing to do where they may stay where they are."""

from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, walk
from npu.model.operators.move import Copy, Reshape


def lower(site: GraphLowering, op: Reshape, params: None) -> None:
    """The output is the input's buffer; who reads it sees to the other shape."""
    site.place(op.output, site.buffer(op.input))


def lower_copy(site: GraphLowering, op: Copy, params: None) -> None:
    """A walk for each piece, over what is filled."""
    sources = [site.buffer(index).whole() for index in op.inputs]
    targets = [site.new(index).whole() for index in op.outputs]
    if op.fill is not None:
        for dst in targets:
            fields = {"imm": int(op.fill), "dst_type": int(dst.buffer.element)}
            walk(site, "VFILL", [dst.n], {"dst": Operand(dst, (1,))}, fields)
    for piece in op.pieces:
        src, dst = sources[piece.source], targets[piece.target]
        a = Operand(src.part(piece.read.offset, src.n), piece.read.strides)
        out = Operand(dst.part(piece.written.offset, dst.n), piece.written.strides)
        fields = {"a_type": int(src.buffer.element)}
        walk(site, "VCOPY", piece.read.sizes, {"dst": out, "a": a}, fields)


LOWER = {Reshape: lower, Copy: lower_copy}
