"""How long buffers live, which of them take one place, and how much that is at most at a time.

An element-wise command whose output has the type and the size of an operand that nobody needs any
more may write it over that operand, element by element: the two are one *place* of SRAM.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from compiler.lowering.ir import Buffer, ChipModule, ChipOperator, Loops, Vector, View, operands

Span = tuple[int, int]
"""First and last operator, counted over all segments."""

_READS_AHEAD = ("VDOT", "VARGMAX", "VFILL")
"""Vector commands that do not make an element of one."""


@dataclass(eq=False)
class Place:
    """Buffers that follow on one another in the same bytes of SRAM."""

    buffers: list[Buffer]
    n_bytes: int
    first: int
    last: int

    def put(self, address: int) -> None:
        """Say where it is."""
        for buffer in self.buffers:
            buffer.address = address


@dataclass(frozen=True)
class LiveSet:
    """What lives at the worst moment: bytes, each buffer in whole bus words, and places."""

    n_bytes: int
    places: int


def in_order(module: ChipModule) -> Iterator[ChipOperator]:
    """The operators of all segments, one behind the other."""
    for segment in module.segments.values():
        yield from segment.operators


def lifetimes(module: ChipModule) -> dict[Buffer, Span]:
    """First and last operator (counted over all segments) that touches each buffer.

    A persistent buffer lives throughout.
    """
    spans: dict[Buffer, Span] = {}
    position = 0
    for op in in_order(module):
        reads, writes = operands(op)
        for buffer in (*reads, *writes):
            first, _ = spans.get(buffer, (position, position))
            spans[buffer] = (first, position)
        position += 1
    for buffer in module.buffers:
        if buffer.persistent:
            spans[buffer] = (0, position)
    return spans


def places(module: ChipModule) -> list[Place]:
    """All places, in the order in which they are taken."""
    spans = lifetimes(module)
    found: dict[Buffer, Place] = {
        buffer: Place([buffer], buffer.n_bytes, *span) for buffer, span in spans.items()
    }
    for position, op in enumerate(in_order(module)):
        for src, dst in _in_place(op):
            if (
                not (src.persistent or dst.persistent)
                and spans[src][1] == position == spans[dst][0]
                and src.n_bytes == dst.n_bytes
            ):
                place = found[src]
                place.buffers.append(dst)
                place.last = spans[dst][1]
                found[dst] = place
                break
    return list(dict.fromkeys(found.values()))


def live_set(taken: list[Place]) -> LiveSet:
    """The most that lives at a time: no allocation takes less."""
    steps = max((place.last for place in taken), default=-1) + 2
    change = np.zeros((2, steps), np.int64)
    for place in taken:
        for at, sign in ((place.first, 1), (place.last + 1, -1)):
            change[:, at] += sign * np.array([place.n_bytes, 1])
    n_bytes, count = change.cumsum(axis=1)
    worst = int(n_bytes.argmax())
    return LiveSet(int(n_bytes[worst]), int(count[worst]))


def _in_place(op: ChipOperator) -> Iterator[tuple[Buffer, Buffer]]:
    """Operands, with the output, that every element of the output may be written over."""
    if not isinstance(op, Vector) or op.opcode in _READS_AHEAD or op.dst is None:
        return
    based = any(name.endswith("_rel") and value for name, value in op.fields.items())
    if based or op.travel or (op.loops is not None and _meets_itself(op, op.loops)):
        return
    sources = {name: view for name in ("a", "b") if (view := getattr(op, name)) is not None}
    for view in sources.values():
        same = all(
            _same_walk(op, name, other)
            for name, other in sources.items()
            if other.buffer is view.buffer
        )
        if same:
            yield view.buffer, op.dst.buffer


def _same_walk(op: Vector, name: str, view: View) -> bool:
    """Whether the output's elements lie in its buffer as those of a source do."""
    assert op.dst is not None
    loops = op.loops
    return (
        view.element.n_bytes == op.dst.element.n_bytes
        and view.offset == op.dst.offset
        and (loops is None or _steps(op, loops, "dst") == _steps(op, loops, name))
    )


def _steps(op: Vector, loops: Loops, name: str) -> list[tuple[int, int]]:
    """Count and stride of every loop that has more than one turn, from the innermost on."""
    counts, strides = (op.n, *loops.counts), getattr(loops, name)
    return [(n, step) for n, step in zip(counts, strides, strict=True) if n > 1]


def _meets_itself(op: Vector, loops: Loops) -> bool:
    """Whether the output comes to an address twice, as far as its strides tell."""
    assert op.dst is not None
    reach = op.dst.element.n_bytes
    for count, step in sorted(_steps(op, loops, "dst"), key=lambda loop: abs(loop[1])):
        if abs(step) < reach:
            return True
        reach += (count - 1) * abs(step)
    return False
