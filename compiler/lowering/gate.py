"""A gate: a branch around operators, decided by an int8 in SRAM."""

from collections.abc import Sequence

from compiler.lowering.ir import GateElse, GateEnd, GateStart
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import copy_all
from npu.model.operators import gate as operators


def lower(site: GraphLowering, op: operators.Gate, params: None) -> None:
    """The branch."""
    site.add(GateStart(site.buffer(op.condition).whole(), op.threshold))


def lower_else(site: GraphLowering, op: operators.GateElse, params: None) -> None:
    """What the open way gives, and the begin of the other one."""
    _turn(site, operators.end_of(site.graph, op), _innermost(site)[0])


def lower_end(site: GraphLowering, op: operators.GateEnd, params: None) -> None:
    """A copy of every output in each way, but for those of the open way that take no command as
    their values are done with."""
    start, turned = _innermost(site)
    if not turned:
        _turn(site, op, start)
    _hand_on(site, op.otherwise, op.outputs)
    site.add(GateEnd(start))


def _turn(site: GraphLowering, end: operators.GateEnd, start: GateStart) -> None:
    for index in end.outputs:
        site.new(index)
    _hand_on(site, end.values, end.outputs)
    site.add(GateElse(start))


def _hand_on(site: GraphLowering, values: Sequence[int], outputs: Sequence[int]) -> None:
    for value, output in zip(values, outputs, strict=True):
        copy_all(site, site.buffer(output).whole(), site.buffer(value).whole())


def _innermost(site: GraphLowering) -> tuple[GateStart, bool]:
    """The last gate that has not ended, and whether its other way has begun."""
    ended, turned = set(), set()
    for op in reversed(site.segment.operators):
        match op:
            case GateEnd(start=start):
                ended.add(start)
            case GateElse(start=start):
                turned.add(start)
            case GateStart() if op not in ended:
                return op, op in turned
    raise AssertionError("its gate has been verified")


LOWER = {operators.Gate: lower, operators.GateElse: lower_else, operators.GateEnd: lower_end}
