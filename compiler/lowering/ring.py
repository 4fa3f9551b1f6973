"""The last inputs of a row of calls, in one tensor."""

from compiler.lowering.ir import CALL_END
from compiler.lowering.routine import ZERO, RoutineWriter
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import copy_all
from npu.chip.isa import ElementType
from npu.model.operators.ring import CircularBuffer


def lower(site: GraphLowering, op: CircularBuffer, params: None) -> None:
    """What is kept moves forward, the input comes behind it.

    Where a call ends early, what it gives is as it was: outputs keep their places.
    """
    source, held = site.buffer(op.input).whole(), site.state(op.buffer).whole()
    kept = held.n - source.n
    moved = site.new_buffer("moved forward", held.n, held.element).whole()
    copy_all(site, moved.part(0, kept), held.part(source.n, kept))
    copy_all(site, moved.part(kept, source.n), source)
    copy_all(site, held, moved)
    if op.output in site.graph.outputs:
        # That is written even if the call ends.
        copy_all(site, site.new(op.output).whole(), moved)
        _count(site, op)
    else:
        _count(site, op)
        copy_all(site, site.new(op.output).whole(), moved)


def _count(site: GraphLowering, op: CircularBuffer) -> None:
    """End the call unless it is the last of its cycle."""
    if op.cycles == 1:
        return
    count = site.state(op.count).whole()
    for index in site.graph.outputs:
        site.keep(index)
    r = RoutineWriter()
    with r.registers(1) as (x,):
        r.load(x, ZERO, ElementType.INT32, view=count)
        r.do("ADD", x, x, 1)
        with r.unless("BLT", x, op.cycles):
            r.set(x)
        r.store(x, ZERO, ElementType.INT32, view=count)
        r.branch("BNE", x, 0, CALL_END)
    r.add_to(site, (count.buffer,), (count.buffer,))


LOWER = {CircularBuffer: lower}
