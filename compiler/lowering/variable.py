"""Variables: states that several operators of a graph read and write, in their order."""

from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import copy_all
from npu.model.operators.variable import AssignVariable, ReadVariable


def lower_read(site: GraphLowering, op: ReadVariable, params: None) -> None:
    """A copy out of the variable, which may be assigned later in the call."""
    copy_all(site, site.new(op.output).whole(), site.state(op.variable).whole())


def lower_assign(site: GraphLowering, op: AssignVariable, params: None) -> None:
    """A copy into the variable."""
    copy_all(site, site.state(op.variable).whole(), site.buffer(op.value).whole())


LOWER = {ReadVariable: lower_read, AssignVariable: lower_assign}
