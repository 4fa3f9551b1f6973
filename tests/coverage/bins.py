"""The functional bins, all made from the instruction table, and what a program that ran has hit.

A bin is a tuple of words. The crosses, for every opcode of `npu.chip.isa`:

- ("corner", opcode, field, corner, "OK" or "error"): a field at an end of its range, in a command
  that retired, or in one that stopped the chip;
- ("place", opcode, field, "first" or "last", "OK"): an operand at the first and at the last legal
  address of its memory;
- ("flags", opcode, flags and types, "OK"): every combination of one-bit fields but those that make
  addresses relative, which come singly as corners;
- ("status", opcode, status, readiness, order): how the command ended, by how ready the bus was and
  what a write's address and data wait for.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np

from npu.chip.isa import BASES, BY_CODE, COMMAND_BYTES, OPCODES, Command, decode
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.opcode import Field, Opcode
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.errors import ImageError
from tests.lockstep.compare import Run
from tests.lockstep.programs import Program

Bin = tuple[str, ...]
READINESS = ("always", "random", "slow")
SLOW = 0.25
"""A bus with a channel that is ready in fewer cycles than this is slow."""
PLACED = ("sram", "param", "ext", "a", "b", "dst")
"""Addresses that have a first and a last legal place."""


def corners(field: Field) -> dict[str, int]:
    """The ends of a field's range and zero, by name; a flag has two."""
    low, high = field.range
    found = {"zero": 0, "high": high}
    return found | {"low": low} if low else found


def flags(opcode: Opcode) -> list[str]:
    """The one-bit fields that are crossed."""
    return [f.name for f in opcode.fields if f.width == 1 and not f.name.endswith("_rel")]


def placed(opcode: Opcode) -> list[str]:
    """The fields of PLACED whose operand has a length that the command itself says."""
    walks = opcode.name in ("MATVEC", "VDOT", "TABLE", "VARGMAX")
    names = [name for name in PLACED if opcode.has(name)]
    return [name for name in names if not walks or name == "param"]


def readiness(schedule: BusSchedule) -> str:
    """Of READINESS."""
    shares = [float(getattr(schedule, name).mean()) for name in ("ar", "r", "aw", "w", "b")]
    if min(shares) == 1:
        return "always"
    return "slow" if min(shares) < SLOW else "random"


def every_bin() -> Iterator[Bin]:
    """All bins there are."""
    for opcode in OPCODES.values():
        for field in opcode.fields:
            for corner, ending in product(corners(field), ("OK", "error")):
                yield "corner", opcode.name, field.name, corner, ending
        for name, place in product(placed(opcode), ("first", "last")):
            yield "place", opcode.name, name, place, "OK"
        names = flags(opcode)
        for values in product((0, 1), repeat=len(names)):
            yield "flags", opcode.name, _flags(dict(zip(names, values, strict=True)), opcode), "OK"
        yield from _statuses(opcode.name)
    yield from _statuses("unknown", (Status.ILLEGAL_COMMAND,))


def _statuses(name: str, kinds: tuple[Status, ...] = tuple(Status)) -> Iterator[Bin]:
    for status, ready, order in product(kinds, READINESS, WriteOrder):
        yield "status", name, status.name, ready, order.name


def hits(program: Program, run: Run) -> set[Bin]:
    """The bins that a program has hit whose run on the twin was this one."""
    found: set[Bin] = set()
    ready = readiness(program.schedule)
    order = program.schedule.order.name
    memory_bytes = len(program.memory)
    for pc in {record.pc for record in run.records}:
        cmd = decode(program.commands[pc])
        found |= _of_command(cmd, "OK")
        found |= _places(cmd, program.params, memory_bytes)
        names = flags(cmd.opcode)
        chosen = {name: cmd.values[name] for name in names}
        found.add(("flags", cmd.opcode.name, _flags(chosen, cmd.opcode), "OK"))
        found.add(("status", cmd.opcode.name, Status.OK.name, ready, order))
    if run.ending in Status.__members__ and run.at is not None and run.at < len(program.commands):
        raw = program.commands[run.at]
        opcode = BY_CODE.get(raw[0])
        name = opcode.name if opcode else "unknown"
        found.add(("status", name, run.ending, ready, order))
        if run.ending != Status.ILLEGAL_COMMAND.name:
            found |= _of_command(decode(raw), "error")
    return found


def _of_command(cmd: Command, ending: str) -> set[Bin]:
    return {
        ("corner", cmd.opcode.name, field.name, corner, ending)
        for field in cmd.opcode.fields
        for corner, value in corners(field).items()
        if cmd.values[field.name] == value
    }


def _flags(values: dict[str, int], opcode: Opcode) -> str:
    shown = [name for name in flags(opcode) if values[name]]
    return "+".join(shown) or "none"


def last_place(cmd: Command, name: str, p: ChipParams, memory_bytes: int) -> int:
    """The last address at which an operand of PLACED still lies inside its memory."""
    v = cmd.values
    if name in ("a", "b", "dst"):
        element = cmd.operand_types[list(BASES).index(name)]
        assert element is not None
        return p.sram_bytes - v["n"] * element.n_bytes
    if cmd.opcode.name == "TABLE":
        return p.param_bytes - 256
    size = {"sram": p.sram_bytes, "param": p.param_bytes, "ext": memory_bytes}[name]
    return size - (v["beats"] * p.bus_bytes if cmd.opcode.has("beats") else 4)


def _places(cmd: Command, p: ChipParams, memory_bytes: int) -> set[Bin]:
    """Of a command that retired, unless registers or strides say where its operands lie."""
    if cmd.relative or cmd.values.get("looped") or cmd.values.get("rs1"):
        return set()
    found = set()
    for name in placed(cmd.opcode):
        at = cmd.values[name]
        for place, where in (("first", 0), ("last", last_place(cmd, name, p, memory_bytes))):
            if at == where:
                found.add(("place", cmd.opcode.name, name, place, "OK"))
    return found


def stray_bits(opcode: Opcode) -> list[int]:
    """Bits of a command that belong to no field."""
    used = set(range(8)).union(*(range(f.lsb, f.lsb + f.width) for f in opcode.fields))
    return sorted(set(range(8 * COMMAND_BYTES)) - used)


def is_legal(raw: bytes) -> bool:
    """Whether the bytes are a command at all."""
    try:
        decode(raw)
    except ImageError:
        return False
    return True


def schedule_of(ready: str, order: WriteOrder, seed: int) -> BusSchedule:
    """A schedule of one of READINESS."""
    share = {"always": 1.0, "random": 0.6, "slow": 0.15}[ready]
    rng = np.random.default_rng(seed)
    patterns = rng.random((5, 59)) < share
    patterns[:, 0] = True
    if ready == "random":
        # Never slow by chance.
        patterns[:, ::2] = True
        patterns[:, 1] = False
    return BusSchedule(*patterns, order=order)
