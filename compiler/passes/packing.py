"""Matrices packed side by side, on all cores: most of what a compilation takes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock

from compiler.codec.parallel import mapped
from compiler.lowering.ir import Matrix
from compiler.passes.tiles import PackedMatrix
from npu.errors import NpuError
from npu.pools import cores

Pack = Callable[[Matrix], PackedMatrix]


def pack_each(matrices: Iterable[Matrix], pack: Pack) -> dict[Matrix, PackedMatrix]:
    """What `pack` makes of each matrix, in their order; the largest ones are begun first.

    Raises what `pack` raises for the first matrix of which it raises.
    """
    work = _Work(list(matrices), pack)
    largest = sorted(range(len(work.matrices)), key=lambda i: -work.matrices[i].weights.size)
    mapped(work.do, [(i,) for i in largest], cores())
    if work.refused:
        raise work.refused[min(work.refused)]
    return {matrix: work.packed[i] for i, matrix in enumerate(work.matrices)}


@dataclass(eq=False)
class _Work:
    """What is to be packed, what is, and by number what was refused."""

    matrices: list[Matrix]
    pack: Pack
    packed: dict[int, PackedMatrix] = field(default_factory=dict)
    refused: dict[int, NpuError] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def do(self, i: int) -> None:
        """Pack a matrix, unless one before it was refused: then nothing hangs on it any more."""
        with self.lock:
            if self.refused and min(self.refused) < i:
                return
        try:
            self.packed[i] = self.pack(self.matrices[i])
        except NpuError as error:
            with self.lock:
                self.refused[i] = error
