"""Vector commands on a chip's state; what was run before is kept bound to its operands."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from npu.chip import cost
from npu.chip.isa import Command, ElementType
from npu.chip.status import Status
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD
from npu.errors import MachineError
from npu.twin import vector
from npu.twin.dma import Place
from npu.twin.looped import Accesses, LoopedCommand
from npu.twin.state import Done, State, require_inside
from npu.twin.walk import Loop

_HELD = cost.Held()
# Commands at all their places, about 1 KB each: further ones are bound anew.
MAX_BOUND = 1 << 16
_NONE = np.zeros(0, np.int8)


def _nothing() -> None:
    """In the place of work that nobody wants done."""


@dataclass(frozen=True)
class _Bound:
    """A vector command with its operands found.

    Attributes
    ----------
    run : does the work and returns what VARGMAX finds.
    written : shows what it has written.
    """

    run: Callable[[], int | None]
    cycles: int
    elements: int
    accesses: Accesses
    written: Callable[[], np.ndarray]


class VectorUnit:
    """Runs them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._counters, self._events = state.counters, state.events
        # By program counter, what comes from registers (places, scale), and what is held.
        self._bound: dict[tuple[int, tuple[int, ...], tuple[int, ...]], _Bound] = {}
        self._loop: Loop | None = None
        self._loop_values: tuple[int, ...] = ()

    @property
    def held(self) -> tuple[Loop | None, tuple[int, ...]]:
        """What looped commands find: the last VLOOP, and its numbers."""
        return self._loop, self._loop_values

    def hold(self, loop: Loop | None, values: tuple[int, ...]) -> None:
        """Put back what `held` gave."""
        self._loop, self._loop_values = loop, values

    def unbind(self) -> None:
        """There is another program."""
        self._bound.clear()

    def run(self, pc: int, cmd: Command, start: int) -> Done:
        """Do command `pc`, whose first cycle is `start`. Raises MachineError."""
        if cmd.opcode.name == "TABLE":
            return self._load_table(cmd, start)
        if cmd.opcode.name == "VLOOP":
            return self._set_loop(cmd, start)
        looped = cmd.values["looped"]
        key = pc, cmd.addresses + cmd.scale, self._loop_values if looped else ()
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bind_looped(cmd) if looped else self._bind(cmd)
            if len(self._bound) >= MAX_BOUND:
                self._bound.clear()
            self._bound[key] = bound
        end = start + bound.cycles - 1
        if end > self._state.last:
            # Nobody sees what is written; it may be more than anybody waits for.
            return end, b"", None
        scalar = bound.run() if self._state.computes else None
        events = self._events
        self._counters.vector_cycles += bound.cycles
        events.vector_elements += bound.elements
        events.sram_reads += bound.accesses.reads
        events.sram_writes += bound.accesses.writes
        if scalar is not None:
            return end, self._state.set(cmd.values["rd"], scalar), None
        return end, bound.written() if self._state.observed else b"", None

    def _set_loop(self, cmd: Command, start: int) -> Done:
        self._loop, self._loop_values = Loop.of(cmd), tuple(cmd.values.values())
        cycles = cost.vector(cmd, _HELD, self._state.params)
        self._counters.vector_cycles += cycles
        return start + cycles - 1, b"", None

    def _load_table(self, cmd: Command, start: int) -> Done:
        state, end = self._state, cmd.param + LUT_BYTES
        require_inside(cmd.param, LUT_BYTES, PARAM_WORD, state.param, "parameter memory")
        state.dma.require_loaded(start, (Place("param", cmd.param, end),))
        state.table[:] = state.param[cmd.param : end].view(np.int8)
        cycles = cost.vector(cmd, _HELD, state.params)
        state.counters.vector_cycles += cycles
        state.events.param_reads += LUT_BYTES // PARAM_WORD
        return start + cycles - 1, b"", None

    def _bind(self, cmd: Command) -> _Bound:
        n = cmd.values["n"]
        if n == 0:
            raise MachineError("a vector of no elements", Status.ADDRESS)
        if cmd.opcode.name == "VDOT":
            raise MachineError("a sum over no loop: it has to be looped", Status.ADDRESS)
        a, b, dst = (
            self._operand(cmd.values[key], n, kind) if kind is not None else _NONE
            for key, kind in zip(("a", "b", "dst"), cmd.operand_types, strict=True)
        )
        groups = -(-n // self._state.params.vector_elements)
        computes = self._state.computes
        for source in (a, b):
            same = source.ctypes.data == dst.ctypes.data and source.nbytes == dst.nbytes
            if not same and np.may_share_memory(source, dst):
                # The chip computes something then, but not what the command says.
                raise MachineError("the destination overlaps a source without being it")
        return _Bound(
            run=vector.bind(cmd, a, b, dst, self._state.table) if computes else _nothing,
            cycles=cost.vector(cmd, _HELD, self._state.params),
            elements=n,
            accesses=Accesses(groups * (bool(a.size) + bool(b.size)), groups * bool(dst.size)),
            written=lambda: dst,
        )

    def _bind_looped(self, cmd: Command) -> _Bound:
        state, loop = self._state, self._loop
        if loop is None:
            raise MachineError("a looped command, and no VLOOP before", Status.ADDRESS)
        looped = LoopedCommand(cmd, loop, state.sram, state.table)
        return _Bound(
            run=looped.run,
            cycles=cost.vector(cmd, cost.Held(repeats=loop.repeats), state.params),
            elements=looped.total,
            accesses=looped.accesses,
            written=looped.written,
        )

    def _operand(self, at: int, n: int, kind: ElementType) -> np.ndarray:
        sram, elements = self._state.sram, self._state.params.vector_elements
        require_inside(at, n * kind.n_bytes, elements * kind.n_bytes, sram, "SRAM")
        return sram[at : at + n * kind.n_bytes].view(vector.NUMPY[kind])
