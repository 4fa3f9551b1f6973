"""Steps of random programs on the scalar core: results, numbers in SRAM, relative addresses."""

from typing import Any

import numpy as np

from npu.chip.isa import BASES, OPCODES, REGISTERS, SCALES
from tests.naive import wrap

# Registers: the host's arguments and scratch in 1..6, loop counters above.
SCRATCH = range(1, 7)
COUNTERS = (8, 9, 10, 7)
# Every command of the sequencer that only writes a register.
RESULTS = tuple(
    name
    for name, op in OPCODES.items()
    if op.unit == "sequencer" and op.writes_register and not op.has("type")
)
EXTREMES = (0, 1, -1, 5, 31, 32, 1000, -(2**31), 2**31 - 1, 0x10000, 123456789)
TYPES = 3


def results(builder: Any, rng: np.random.Generator) -> None:
    """One to three results, of registers that were written just before, too."""
    for _ in range(int(rng.integers(1, 4))):
        name = str(rng.choice(RESULTS))
        writable = (*SCRATCH, *BASES.values(), *SCALES.values(), 0)
        values = {"rd": int(rng.choice(writable)), "rs1": int(rng.integers(REGISTERS))}
        if OPCODES[name].has("rs2"):
            imm = int(rng.choice(EXTREMES)) if rng.random() < 0.6 else _any(rng)
            values |= {"rs2": int(rng.integers(REGISTERS)) * int(rng.integers(2)), "imm": imm}
        builder.emit(name, **values)


def number(builder: Any, rng: np.random.Generator) -> None:
    """LOADS or STORES of a number anywhere in SRAM, mostly behind a register."""
    kind, size = int(rng.integers(TYPES)), builder.p.sram_bytes
    at = int(rng.integers(size >> kind)) << kind
    if builder.rare(rng, 0.1):
        outside = (at + 1, size, size - 1, size + (1 << kind), 2**32 - (1 << kind), 1 << 24)
        at = int(rng.choice(outside))
    if builder.rare(rng, 0.02):
        kind = TYPES
    base, register = 0, 0
    if rng.random() < 0.7:
        base, register = _any(rng), int(rng.choice(SCRATCH))
        builder.emit("ADD", rd=register, imm=base)
    where = {"rs1": register, "imm": wrap(at - base), "type": kind}
    if rng.random() < 0.5:
        builder.emit("STORES", rs2=int(rng.integers(REGISTERS)), **where)
    else:
        builder.emit("LOADS", rd=int(rng.choice(SCRATCH)), **where)


def relative(
    builder: Any, rng: np.random.Generator, name: str, values: dict[str, int]
) -> dict[str, int]:
    """The fields of a command with some of its addresses made relative; seldom do they move."""
    found = dict(values)
    for operand, register in BASES.items():
        if operand not in values or rng.random() >= 0.25:
            continue
        base = _any(rng)
        if builder.depth and builder.rare(rng, 0.1):
            # Another place in every round of the loop.
            counter = COUNTERS[builder.depth - 1]
            base = builder.p.bus_bytes * int(rng.integers(-3, 4))
            builder.emit("MUL", rd=register, rs1=counter, imm=base)
        else:
            builder.emit("ADD", rd=register, imm=base)
        high = OPCODES[name].field(operand).range[1]
        found |= {operand: (values[operand] - base) & high, f"{operand}_rel": 1}
    if OPCODES[name].has("scaled") and rng.random() < 0.25:
        # Bits beyond the fields are nobody's.
        for field, register in SCALES.items():
            bits = OPCODES[name].field(field).width
            builder.emit("ADD", rd=register, imm=wrap((_any(rng) << bits) + found[field]))
            found[field] = int(rng.integers(2)) * found[field]
        found["scaled"] = 1
    return found


def _any(rng: np.random.Generator) -> int:
    return int(rng.integers(-(2**31), 2**31))
