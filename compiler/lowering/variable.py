"""Variables: states that several operators of a graph read and write, in their order."""

from compiler.lowering.ir import View
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, copy
from npu.model.operators.variable import AssignVariable, ReadVariable


def lower_read(site: GraphLowering, op: ReadVariable, params: None) -> None:
    """A copy out of the variable, which may be assigned later in the call."""
    copy_all(site, site.new(op.output).whole(), site.state(op.variable).whole())


def lower_assign(site: GraphLowering, op: AssignVariable, params: None) -> None:
    """A copy into the variable."""
    copy_all(site, site.state(op.variable).whole(), site.buffer(op.value).whole())


def copy_all(site: GraphLowering, dst: View, src: View) -> None:
    """A copy of all elements."""
    copy(site, [dst.n], Operand(dst, (1,)), Operand(src, (1,)))


LOWER = {ReadVariable: lower_read, AssignVariable: lower_assign}
