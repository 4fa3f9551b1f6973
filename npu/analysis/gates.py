"""Gates: where an int8 decides whether layers run, and images in which so many of them are open.

Real frames decide for themselves. What a share of open gates costs is asked of an image whose
thresholds are moved out of reach: it runs as any other, but for what its gates let through.
"""

import zlib
from dataclasses import dataclass
from itertools import pairwise
from math import floor

from npu.chip.isa import (
    COMMAND_BYTES,
    Command,
    ElementType,
    command,
    decode_program,
    encode,
)
from npu.errors import InputError
from npu.model.layer import Layer
from npu.model.numerics import INT8_MAX, INT8_MIN
from npu.runtime.image import Image

ALWAYS, NEVER = INT8_MIN, INT8_MAX + 1
"""Thresholds that every int8 reaches, and that none does."""


@dataclass(frozen=True)
class GateAt:
    """A gate of a program.

    Attributes
    ----------
    pc : of the command that branches around what it gates; the one before loads its condition.
    threshold : it is open where the condition is not less.
    layer : what it is part of.
    """

    pc: int
    threshold: int
    layer: Layer


def gates_of(image: Image) -> list[GateAt]:
    """The gates of an image, in the order of its program."""
    program, header = decode_program(image.program), image.header
    return [
        GateAt(pc, branch.imm, header.command_layers[header.command_layer[pc]])
        for pc, (loads, branch) in enumerate(pairwise(program), start=1)
        if _is_gate(loads, branch, pc)
    ]


def _is_gate(loads: Command, branch: Command, pc: int) -> bool:
    """Whether two commands are a gate's, as `compiler.passes.branches` writes them."""
    return (
        (loads.opcode.name, branch.opcode.name) == ("LOADS", "BLT")
        and (loads.type, loads.rs1) == (ElementType.INT8, 0)
        and (branch.rs1, branch.rs2) == (loads.rd, 0)
        and branch.target > pc
    )


def with_open(image: Image, count: int) -> Image:
    """The image with so many gates open whatever comes, spread evenly, and all others closed.

    Raises InputError for an image without gates, and for more than it has.
    """
    gates = gates_of(image)
    if not gates:
        raise InputError(f"{image.header.model} has no gates: leave out how many are open")
    if not 0 <= count <= len(gates):
        raise InputError(
            f"{image.header.model} has {len(gates)} gates: 0 to {len(gates)} can be open, not "
            f"{count}"
        )
    commands, program = decode_program(image.program), bytearray(image.program)
    for place, gate in enumerate(gates):
        is_open = floor((place + 1) * count / len(gates)) > floor(place * count / len(gates))
        values = {**commands[gate.pc].values, "imm": ALWAYS if is_open else NEVER}
        at = gate.pc * COMMAND_BYTES
        program[at : at + COMMAND_BYTES] = encode(command("BLT", **values))
    crc = zlib.crc32(program)
    header = image.header.model_copy(update={"program_crc32": crc})
    return Image(header, bytes(program), image.memory)
