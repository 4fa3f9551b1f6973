"""A gate: a branch around operators, decided by an int8 in SRAM."""

from compiler.lowering.ir import GateElse, GateEnd, GateStart
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import copy_all
from npu.model.operators import gate as operators


def lower(site: GraphLowering, op: operators.Gate, params: None) -> None:
    """The branch."""
    site.add(GateStart(site.buffer(op.condition).whole(), op.threshold))


def lower_end(site: GraphLowering, op: operators.GateEnd, params: None) -> None:
    """One copy a way. That of the open way takes no command where the value is done with."""
    start = next(op for op in reversed(site.segment.operators) if isinstance(op, GateStart))
    value, otherwise = site.buffer(op.value).whole(), site.buffer(op.otherwise).whole()
    output = site.new(op.output).whole()
    copy_all(site, output, value)
    site.add(GateElse(start))
    copy_all(site, output, otherwise)
    site.add(GateEnd(start))


LOWER = {operators.Gate: lower, operators.GateEnd: lower_end}
