"""Elements that stay what they are: nothing to do where they may stay where they are."""

from compiler.lowering.site import GraphLowering
from npu.model.operators.move import Copy, Reshape


def lower(site: GraphLowering, op: Reshape, params: None) -> None:
    """The output is the input's buffer; who reads it sees to the other shape."""
    site.place(op.output, site.buffer(op.input))


LOWER = {Reshape: lower}
REFUSED = {Copy: "the chip does not move elements yet; the kernels do"}
