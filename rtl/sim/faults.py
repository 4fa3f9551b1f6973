"""Single bits of the chip's memories are flipped while it works: what becomes of every flip.

The chip in Verilator has loaded a model and does the same call over and over. In each, one bit of
one word of a block RAM, parity included, is flipped in one cycle; all are drawn with equal chances.
Behind it the memories are put back as they were. A flip is

- detected: the program stops with Status.PARITY;
- stopped: it stops with another error, or does not end;
- masked: everything is as without the flip but the bit itself, which may have been overwritten;
- silent: anything else, an output or another word of the memories, with no error.
"""

import ctypes
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from npu.chip.limit import Budget
from npu.chip.status import Status
from npu.errors import MachineError
from rtl.sim.machine import RtlMachine

DETECTED, STOPPED, MASKED, SILENT = "detected", "stopped", "masked", "silent"
CLASSES = (DETECTED, STOPPED, MASKED, SILENT)
# A call that a flip has made longer than so many times its cycles does not end.
PATIENCE = 4


class MemoryRecord(ctypes.Structure):
    """`zs_memory` of harness.cpp."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("words", ctypes.c_void_p),
        ("depth", ctypes.c_uint64),
        ("word_bytes", ctypes.c_uint64),
        ("width", ctypes.c_uint64),
    )


@dataclass(frozen=True)
class Ram:
    """A block RAM of the simulated chip: `words` (depth, word_bytes) uint8 is its contents.

    `kind` is its module's name, `width` the bits of a word.
    """

    name: str
    width: int
    words: np.ndarray

    @property
    def kind(self) -> str:
        return self.name.rsplit(".", 1)[-1].split("_")[1]

    @property
    def bits(self) -> int:
        return self.width * len(self.words)


class FlipsReport(TypedDict):
    """What became of the flips of a chip: how many of each class, in all and by kind of memory."""

    flips: int
    seed: int
    classes: dict[str, int]
    memories: dict[str, dict[str, int]]
    bits: int
    cycles_of_a_call: int


class FlippingMachine(RtlMachine):
    """An `RtlMachine`, made with `inject`, that flips a bit while it runs."""

    flip: tuple[int, Callable[[], None]] | None = None

    def rams(self) -> list[Ram]:
        """All block RAMs."""
        library = self._library
        library.zs_memories.restype = ctypes.c_uint64
        library.zs_memories.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        records = ctypes.POINTER(MemoryRecord)()
        count = library.zs_memories(self._handle, ctypes.byref(records))
        return [_ram(records[i]) for i in range(count)]

    def forget_sram(self) -> None:
        """What is in vector SRAM is changed from outside: nothing of it is to be loaded."""
        self._known_sram[:] = self.sram

    def _until_interrupt(self, limit: int) -> None:
        if self.flip is not None:
            cycles, flip = self.flip
            stopped = self._library.zs_run(self._handle, cycles, 0)
            flip()
            self.flip = None
            if stopped == 1:
                return
        super()._until_interrupt(limit)


def _ram(record: MemoryRecord) -> Ram:
    shape = (record.depth, record.word_bytes)
    raw = (ctypes.c_uint8 * (shape[0] * shape[1])).from_address(record.words)
    return Ram(record.name.decode(), record.width, np.frombuffer(raw, np.uint8).reshape(shape))


class Flips:
    """A chip that does one call over and over, each with one flip.

    Parameters
    ----------
    machine : booted, with the call's inputs in its external memory.
    pc : where the call starts.

    Attributes
    ----------
    rams : what is flipped.
    cycles : of the call.
    """

    def __init__(self, machine: FlippingMachine, pc: int) -> None:
        self._machine, self._pc = machine, pc
        self.rams = machine.rams()
        self._before = [ram.words.copy() for ram in self.rams]
        self._memory = machine.memory.data.copy()
        self.cycles = machine.run(pc)
        self._after = [ram.words.copy() for ram in self.rams]
        self._outputs = machine.memory.data.copy()

    def draw(self, rng: random.Random) -> tuple[int, int, int, int]:
        """A flip: RAM, word, bit, cycle of the call."""
        bits = [ram.bits for ram in self.rams]
        number = rng.choices(range(len(bits)), bits)[0]
        ram = self.rams[number]
        at = rng.randrange(len(ram.words)), rng.randrange(ram.width)
        return number, *at, rng.randrange(self.cycles)

    def outcome(self, number: int, word: int, bit: int, cycle: int) -> str:
        """What becomes of a flip."""
        machine = self._machine
        for ram, before in zip(self.rams, self._before, strict=True):
            ram.words[:] = before
        machine.memory.data[:] = self._memory
        words = self.rams[number].words

        def flip() -> None:
            words[word, bit // 8] ^= 1 << bit % 8

        machine.flip = cycle, flip
        machine.forget_sram()
        try:
            machine.run(self._pc, budget=Budget.of_cycles(PATIENCE * self.cycles))
        except MachineError as error:
            machine.reset()
            return DETECTED if error.status == Status.PARITY else STOPPED
        return MASKED if self._same(number, word, bit) else SILENT

    def _same(self, number: int, word: int, bit: int) -> bool:
        """Whether all is as without the flip, but for the bit itself."""
        if not np.array_equal(self._machine.memory.data, self._outputs):
            return False
        for index, (ram, after) in enumerate(zip(self.rams, self._after, strict=True)):
            differs = ram.words ^ after
            if index == number:
                differs[word, bit // 8] &= ~(1 << bit % 8) & 0xFF
            if differs.any():
                return False
        return True

    def report(
        self, flips: int, seed: int, advance: Callable[[], None] = lambda: None
    ) -> FlipsReport:
        """What becomes of so many flips, drawn from a seed; the same for equal arguments."""
        rng = random.Random(seed)
        found: Counter[tuple[str, str]] = Counter()
        for _ in range(flips):
            number, word, bit, cycle = self.draw(rng)
            found[self.rams[number].kind, self.outcome(number, word, bit, cycle)] += 1
        kinds = sorted({ram.kind for ram in self.rams})
        return {
            "flips": flips,
            "seed": seed,
            "classes": {name: sum(found[kind, name] for kind in kinds) for name in CLASSES},
            "memories": {kind: {name: found[kind, name] for name in CLASSES} for kind in kinds},
            "bits": sum(ram.bits for ram in self.rams),
            "cycles_of_a_call": self.cycles,
        }
