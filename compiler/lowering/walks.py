"""Vector commands over boxes of tensors: as few as can be, each a walk of three loops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from compiler.lowering.ir import Loops, Vector, View
from compiler.lowering.site import GraphLowering
from npu.chip.isa import OPCODES, ElementType

INNER = 3
"""Loops of a command."""

_LONGEST = OPCODES["VLOOP"].field("a_0").range[1]
"""Step of an innermost loop in bytes."""


@dataclass(frozen=True, eq=False)
class Operand:
    """An operand of a walk: its first element, and elements from one to the next in each loop."""

    view: View
    strides: tuple[int, ...]


def walk(
    site: GraphLowering,
    opcode: str,
    sizes: Sequence[int],
    operands: dict[str, Operand],
    fields: dict[str, int] | None = None,
    table: np.ndarray | None = None,
    fixed: int = 0,
) -> None:
    """Add the commands that do `opcode` for every index of a box, the last loop the innermost.

    operands : by the name that the command has for them.
    fixed : so many of the last loops mean something to the command: they stay what they are.
    table : of a VLUT.
    """
    if 0 in sizes:
        return
    each = [operand.strides for operand in operands.values()]
    split = len(sizes) - fixed
    loops = _merged(sizes[:split], [strides[:split] for strides in each])
    loops += [(n, tuple(s[k] for s in each)) for k, n in enumerate(sizes) if k >= split]
    items = [operand.view.element.n_bytes for operand in operands.values()]
    if not fixed and any(
        abs(s * item) > _LONGEST for s, item in zip(loops[-1][1], items, strict=True)
    ):
        # Only the outer loops take such steps.
        loops.append((1, (0,) * len(operands)))
    outer, inner = loops[:-INNER], loops[-INNER:]
    inner = [(1, (0,) * len(operands))] * (INNER - len(inner)) + inner
    (last, _), (count_1, _), (count_2, _) = reversed(inner)
    contiguous = (
        not fixed and count_1 == count_2 == 1 and all(s == 1 or last == 1 for s in inner[-1][1])
    )
    walks = {
        name: _three(strides[k] * items[k] for _, strides in reversed(inner))
        for k, name in enumerate(operands)
    }
    all_loops = None if contiguous else Loops((count_1, count_2), **walks)
    for index in product(*(range(count) for count, _ in outer)):
        views = {}
        for k, (name, operand) in enumerate(operands.items()):
            at = sum(i * strides[k] for i, (_, strides) in zip(index, outer, strict=True))
            views[name] = operand.view.part(at, last)
        site.add(
            Vector(
                opcode,
                last,
                dst=views.get("dst"),
                a=views.get("a"),
                b=views.get("b"),
                fields=fields or {},
                table=table,
                loops=all_loops,
            )
        )


def copy(site: GraphLowering, sizes: Sequence[int], dst: Operand, a: Operand, **flags: int) -> None:
    """Add the commands that copy a box of elements of any type; `flags` of the commands."""
    if dst.view.element is ElementType.INT32:
        sizes = [*sizes, 2]
        dst, a = (
            Operand(o.view.halves(), (*(2 * stride for stride in o.strides), 1)) for o in (dst, a)
        )
    fields = {"a_type": int(a.view.element)} | flags
    walk(site, "VCOPY", sizes, {"dst": dst, "a": a}, fields)


def copy_all(site: GraphLowering, dst: View, src: View) -> None:
    """Add the commands that copy all elements."""
    copy(site, [dst.n], Operand(dst, (1,)), Operand(src, (1,)))


def fill(site: GraphLowering, dst: View, value: int) -> None:
    """Add the commands that fill a vector of elements of any type, with their bits as a number."""
    if dst.element is not ElementType.INT32:
        fields = {"imm": value, "dst_type": int(dst.element)}
        walk(site, "VFILL", [dst.n], {"dst": Operand(dst, (1,))}, fields)
        return
    for k, half in enumerate(np.array([value], np.int32).view(np.int16).tolist()):
        fields = {"imm": half, "dst_type": int(ElementType.INT16)}
        operand = Operand(dst.halves().part(k, dst.n), (2,))
        walk(site, "VFILL", [dst.n], {"dst": operand}, fields)


def _three(strides: Iterable[int]) -> tuple[int, int, int]:
    inner, middle, outer = strides
    return inner, middle, outer


def _merged(
    sizes: Sequence[int], strides: Sequence[Sequence[int]]
) -> list[tuple[int, tuple[int, ...]]]:
    """Loops as (size, stride of each operand), those that follow on one another as one."""
    loops: list[tuple[int, tuple[int, ...]]] = []
    for size, *steps in zip(sizes, *strides, strict=True):
        if size == 1:
            continue
        if loops and loops[-1][1] == tuple(size * step for step in steps):
            loops[-1] = (loops[-1][0] * size, tuple(steps))
        else:
            loops.append((size, tuple(steps)))
    return loops or [(1, (1,) * len(strides))]
