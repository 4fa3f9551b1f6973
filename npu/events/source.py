"""A twin that computes no element, run stretch by stretch: what the remembered costs come from."""

from typing import Any

import numpy as np

from npu.chip import timing
from npu.chip.limit import NO_END, Budget
from npu.chip.memory import BusSchedule
from npu.chip.params import ChipParams
from npu.errors import MachineError
from npu.events.relevance import Relevance
from npu.events.stretch import Notes, Place, Standing, Stretch
from npu.twin.bus import NEVER
from npu.twin.loaded import Kept
from npu.twin.machine import Machine

Label = Any
"""What begins a stretch: the pc and the arguments of a start, or the value of a source."""


class Source:
    """Runs stretches.

    Parameters
    ----------
    relevance : of the program.

    Attributes
    ----------
    machine : the twin.
    """

    def __init__(
        self,
        params: ChipParams,
        memory_bytes: int,
        program: bytes,
        schedule: BusSchedule | None = None,
    ) -> None:
        self.machine = Machine(params, memory_bytes, program, schedule, computes=False)
        self._watch()
        self._places: dict[tuple, Place] = {}
        # Banks and parameter memory, and what is known of them, by the names of their contents.
        self._memories: dict[tuple, tuple[np.ndarray, np.ndarray, Kept]] = {}
        words = -(-memory_bytes // params.bus_bytes)
        self._loaded, self._written = np.zeros(words, np.bool_), np.zeros(words, np.bool_)
        # Where the twin stands: the next command, and the register that a value goes to.
        self._pc, self._overhead, self._register = 0, 0, 0
        self._notes = Notes(self.machine, 0)

    def run(
        self, label: Label, relevance: Relevance, limit: Budget, spent: tuple[int, int] = (0, 0)
    ) -> Stretch:
        """The stretch that `label` begins where the twin stands.

        limit : of its start, of which cycles and commands are `spent`.

        Raises MachineError as the twin does; `broken` is what ran of the stretch, then.
        """
        machine = self.machine
        cycles, commands = spent
        if isinstance(label, tuple):
            pc, arguments = label
            for register, value in arguments:
                machine.state.set(register, value)
            machine.begin(Budget(NO_END, 0))
            self._pc, self._overhead = pc, timing.FETCH + timing.DECODE
        else:
            machine.state.set(self._register, label)
        notes = self._notes = Notes(machine, machine.cycle)
        while True:
            pc = self._pc
            ran = machine.execute(pc, self._overhead)
            notes.command(pc, ran.start, ran.end)
            commands += 1
            halted = ran.name == "HALT"
            self._pc, self._overhead = ran.following(pc)
            self._register = relevance.sources.get(pc, 0)
            if halted or self._register:
                break
            used = cycles + machine.cycle - notes.begin
            if commands >= limit.commands or used > limit.cycles:
                raise limit.used_up()
        if halted:
            machine.dma.look(NEVER)
        idle = machine.dma.idle_at(machine.cycle) - machine.cycle
        return Stretch(notes, machine.cycle - notes.begin, idle if halted else 0, halted)

    def broken(self) -> Stretch:
        """What ran of the stretch that ended in error."""
        machine, notes = self.machine, self._notes
        return Stretch(notes, machine.cycle - notes.begin, 0, False)

    def place(self, relevance: Relevance, halted: bool) -> Place:
        """Where the twin stands now; the same for the same state."""
        machine = self.machine
        if not halted and machine.dma.idle_at(machine.cycle) > machine.cycle:
            return Place(None)
        matters = relevance.at_halt if halted else relevance.after(self._pc)
        if not halted:
            matters &= ~(1 << self._register)
        registers = tuple(
            value if matters >> i & 1 else 0 for i, value in enumerate(machine.registers)
        )
        (window, positions, repeats), block = machine.matvec.held
        contents = machine.loaded.contents
        source = None if halted else self._pc
        key = (
            source,
            registers,
            *(None if cmd is None else tuple(cmd.values.values()) for cmd in (window, positions)),
            repeats,
            block,
            machine.vector.held[1],
            contents,
        )
        place = self._places.get(key)
        if place is None:
            standing = Standing(
                registers,
                machine.matvec.held,
                machine.vector.held,
                contents,
                source,
            )
            place = self._places[key] = Place(standing)
            if contents not in self._memories:
                banks, param = machine.banks.copy(), machine.param.copy()
                self._memories[contents] = banks, param, machine.loaded.keep()
        return place

    def forget(self) -> None:
        """Forget all places, and what begins at those that somebody still holds."""
        for place in self._places.values():
            place.behind.clear()
        self._places.clear()

    def stand(self, state: Standing, cycle: int, relevance: Relevance) -> None:
        """Put the twin where `place` found it, at another time."""
        machine = self.machine
        machine.registers[:] = state.registers
        machine.matvec.hold(*state.matvec)
        machine.vector.hold(*state.vector)
        machine.dma.clear()
        machine.cycle = cycle
        if machine.loaded.contents != state.contents:
            machine.banks[:], machine.param[:], kept = self._memories[state.contents]
            machine.loaded.restore(kept)
        if state.source is not None:
            self._pc, self._overhead = state.source, timing.DECODE
            self._register = relevance.sources[state.source - 1]

    def _watch(self) -> None:
        """Note every transfer that is queued."""
        machine = self.machine
        dma, bus = machine.dma, machine.params.bus_bytes
        read, write = dma.read, dma.write

        def watched_read(cycle: int, address: int, beats: int, *rest: Any, **named: Any) -> Any:
            transfer = read(cycle, address, beats, *rest, **named)
            self._notes.transfer(self._pc, transfer.start, transfer.done, beats * bus, transfer.tag)
            if transfer.tag is not None:
                self._meet(self._loaded, address, beats)
            return transfer

        def watched_write(cycle: int, address: int, beats: int) -> Any:
            transfer = write(cycle, address, beats)
            self._notes.transfer(self._pc, transfer.start, transfer.done, beats * bus, None)
            self._meet(self._written, address, beats)
            return transfer

        dma.read, dma.write = watched_read, watched_write  # type: ignore[method-assign]

    def _meet(self, touched: np.ndarray, address: int, beats: int) -> None:
        """Mark bus words of memory. Raises MachineError where tiles are written by the program."""
        first = address // self.machine.params.bus_bytes
        words = slice(first, first + beats)
        touched[words] = True
        if np.any(self._loaded[words] & self._written[words]):
            raise MachineError(
                f"command {self._pc}: weights or records at {address:#x} are written by the "
                "program itself: what they cost cannot be known without its data; run it on the "
                "twin"
            )
