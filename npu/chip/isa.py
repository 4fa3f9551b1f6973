"""The instruction set: one table gives encoding, decoding, disassembly, RTL decoder and docs.

A command is COMMAND_BYTES long (256 bits, little-endian). Bits 0..7 hold the opcode, the other
fields lie where the table says; bits that no field covers must be zero. Sixteen 32-bit scalar
registers; r0 always reads as zero.

Addresses: `ext` is a byte address in external memory, added to a register where the command has
one; `bank` counts bus words in every lane's bank; `param`, `sram` are byte addresses in parameter
memory (multiple of 8; of a bus word where the DMA writes) and vector SRAM.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from npu.chip.opcode import ElementType, Field, Opcode
from npu.errors import ImageError

COMMAND_BYTES = 32
REGISTERS = 16
TAGS = 8
PC_BITS = 16
"""Of a command's index, where the chip counts and shows it."""

# Field layouts: name, lsb and width of each field, `s` after the width for signed. Behind that of a
# vector's address its type, or the field that says it.
_RD, _RS1, _RS2 = "rd 8 4", "rs1 12 4", "rs2 16 4"
_EXT = f"{_RS1}, ext 32 32"
_IMM = "imm 32 32s"
_TYPE = "type 20 2"
_SCALAR = f"{_RD}, {_RS1}, {_RS2}, {_IMM}"
_TRANSFER = f"{_EXT}, sram 64 24, beats 96 24"
_N = "n 32 16, looped 254 1"
_VECTOR = f"dst 8 24 dst_type, {_N}, a 48 24 a_type, a_type 72 1, dst_type 73 1"
_BINARY = f"{_VECTOR}, b 74 24 b_type, b_type 98 1"
_CLAMP = "lo 100 16s, hi 116 16s"
_A_ZERO, _B_ZERO, _DST_ZERO = "a_zero 132 9s", "b_zero 141 9s", "dst_zero 150 9s"
_SCALE = "multiplier 160 31, shift 191 6s, scaled 255 1"
_BRANCH = f"{_RS1}, {_RS2}, {_IMM}, target 64 16"
_SIGMOID = f"dst 8 24 int16, {_N}, a 48 24 int16, multiplier 160 16, shift 191 4"
_PRODUCT = "dst 8 24 dst_type, columns 32 16, a 48 24 int8, dst_type 73 1, bank 74 24"
_BYTES = f"dst 8 24 int8, {_N}, a 48 24 int8"
_SUM = f"{_BYTES}, b 74 24 int8"
_WINDOW = (
    "ny 8 8, nx 16 8, length 24 16, width 40 24, height 64 16, x 80 24s, y 104 16s, dx 120 16, "
    "dy 136 8, pitch 144 24s"
)
_MATVEC = (
    f"{_PRODUCT}, {_CLAMP}, {_A_ZERO}, {_DST_ZERO}, block 160 24, rows 184 24, sums 208 24, "
    "raw 249 1, add 250 1, windowed 254 1, held 255 1"
)
_POSITIONS = (
    "count_x 8 16, count_y 24 16, a_x 40 24s, a_y 64 24s, y_step 88 8, dst_x 96 24s, dst_y 120 24s"
)
_SUM_CLAMP = "lo 100 8s, hi 108 8s, a_zero 116 8s, b_zero 124 8s, dst_zero 132 8s"
_SUM_SCALES = (
    "a_multiplier 140 31, b_multiplier 171 31, multiplier 202 31, "
    "a_shift 233 6s, b_shift 239 6s, shift 245 6s"
)
_STRIDES = (
    "a_0 40 16s, b_0 56 16s, dst_0 72 16s, "
    "a_1 88 24s, a_2 112 24s, b_1 136 24s, b_2 160 24s, dst_1 184 24s, dst_2 208 24s"
)

_TABLE: tuple[tuple[str, int, str, str, str], ...] = (
    # 0x00 is no opcode: memory of zeros is no program.
    ("HALT", 0x18, "sequencer", "stop and raise the interrupt", ""),
    ("ADD", 0x01, "sequencer", "rd = rs1 + rs2 + imm", _SCALAR),
    ("MUL", 0x02, "sequencer", "rd = rs1 * (rs2 + imm) (low 32 bits)", _SCALAR),
    ("BEQ", 0x03, "sequencer", "if rs1 == rs2 + imm go to target", _BRANCH),
    ("BNE", 0x04, "sequencer", "if rs1 != rs2 + imm go to target", _BRANCH),
    ("BLT", 0x05, "sequencer", "if rs1 < rs2 + imm (signed) go to target", _BRANCH),
    ("BGE", 0x06, "sequencer", "if rs1 >= rs2 + imm (signed) go to target", _BRANCH),
    ("WAIT", 0x07, "sequencer", "wait until no transfer of the masked tags is open", "tags 8 8"),
    ("SUB", 0x08, "sequencer", "rd = rs1 - (rs2 + imm)", _SCALAR),
    (
        "MULH",
        0x09,
        "sequencer",
        "rd = saturating_rounding_doubling_high_mul(rs1, rs2 + imm)",
        _SCALAR,
    ),
    ("SLL", 0x0A, "sequencer", "rd = rs1 << (rs2 + imm) mod 32", _SCALAR),
    ("SRA", 0x0B, "sequencer", "rd = rs1 >> (rs2 + imm) mod 32 (arithmetic)", _SCALAR),
    ("RSRA", 0x0C, "sequencer", "rd = rounding_divide_by_pot(rs1, (rs2 + imm) mod 32)", _SCALAR),
    ("CLZ", 0x0D, "sequencer", "rd = leading zeros of rs1", f"{_RD}, {_RS1}"),
    ("MIN", 0x0E, "sequencer", "rd = the smaller of rs1 and rs2 + imm (signed)", _SCALAR),
    ("MAX", 0x0F, "sequencer", "rd = the larger of rs1 and rs2 + imm (signed)", _SCALAR),
    (
        "LOAD_BANK",
        0x10,
        "dma",
        "start loading a tile (directory, sections) into the banks at `bank`",
        f"{_EXT}, bank 64 24, beats 96 24, tag 120 3",
    ),
    (
        "LOAD_PARAM",
        0x11,
        "dma",
        "start loading `beats` bus words into parameter memory",
        f"{_EXT}, param 64 24, beats 96 24, tag 120 3",
    ),
    ("LOAD", 0x12, "dma", "load `beats` bus words into SRAM and wait", _TRANSFER),
    ("STORE", 0x13, "dma", "store `beats` bus words from SRAM and wait", _TRANSFER),
    ("STORE_REG", 0x14, "dma", "store rs2 (4 bytes) at ext and wait", f"{_EXT}, {_RS2}"),
    ("LOAD_REG", 0x15, "dma", "rd = 4 bytes at ext, and wait", f"{_RD}, {_EXT}"),
    (
        "LOADS",
        0x16,
        "sequencer",
        "rd = SRAM[rs1 + imm], a number of 2**type bytes (signed)",
        f"{_RD}, {_RS1}, {_TYPE}, {_IMM}",
    ),
    (
        "STORES",
        0x17,
        "sequencer",
        "SRAM[rs1 + imm] = low 2**type bytes of rs2",
        f"{_RS1}, {_RS2}, {_TYPE}, {_IMM}",
    ),
    (
        "MATVEC",
        0x20,
        "matvec",
        "dst[record.destination] = requantise(weights @ (a - a_zero) + record.bias)",
        _MATVEC,
    ),
    ("WINDOW", 0x21, "matvec", "where the segments of a windowed vector lie", _WINDOW),
    ("POSITIONS", 0x22, "matvec", "at which positions a windowed MATVEC runs", _POSITIONS),
    (
        "VADD",
        0x30,
        "vector",
        "dst = clamp(R(Ra((a - a_zero) << left) + Rb((b - b_zero) << left)) + dst_zero)",
        f"{_SUM}, {_SUM_CLAMP}, {_SUM_SCALES}",
    ),
    (
        "VMUL",
        0x31,
        "vector",
        "dst = clamp(R((a - a_zero) * (b - b_zero)) + dst_zero)",
        f"{_BINARY}, {_CLAMP}, {_A_ZERO}, {_B_ZERO}, {_DST_ZERO}, {_SCALE}",
    ),
    (
        "VRESCALE",
        0x32,
        "vector",
        "dst = clamp(R(a - a_zero) + dst_zero)",
        f"{_VECTOR}, {_CLAMP}, {_A_ZERO}, {_DST_ZERO}, {_SCALE}",
    ),
    (
        "VADDS",
        0x33,
        "vector",
        "dst = saturate_int16(a + b)",
        f"dst 8 24 int16, {_N}, a 48 24 int16, b 74 24 int16",
    ),
    (
        "VSIGMOID",
        0x34,
        "vector",
        "dst = sigmoid of int16 a by table; input scaled by multiplier / 2**shift",
        _SIGMOID,
    ),
    (
        "VTANH",
        0x35,
        "vector",
        "dst = tanh of int16 a by table; input scaled by multiplier / 2**shift",
        _SIGMOID,
    ),
    (
        "VLUT",
        0x36,
        "vector",
        "dst = table[a + 128] (int8), table loaded by TABLE",
        _BYTES,
    ),
    ("VCOPY", 0x37, "vector", "dst = a", f"dst 8 24 a_type, {_N}, a 48 24 a_type, a_type 72 1"),
    (
        "VFILL",
        0x38,
        "vector",
        "dst = imm",
        f"dst 8 24 dst_type, {_N}, dst_type 73 1, imm 100 16s",
    ),
    (
        "VARGMAX",
        0x39,
        "vector",
        "rd = index of the first largest int8 of a",
        f"rd 8 4, {_N}, a 48 24 int8",
    ),
    ("TABLE", 0x3A, "vector", "load the 256-entry look-up table", "param 64 24"),
    ("VMAX", 0x3B, "vector", "dst = the larger of a and b", _SUM),
    (
        "VSUB",
        0x3C,
        "vector",
        "dst = clamp(R(Ra((a - a_zero) << left) - Rb((b - b_zero) << left)) + dst_zero)",
        f"{_SUM}, {_SUM_CLAMP}, {_SUM_SCALES}",
    ),
    ("VMIN", 0x3D, "vector", "dst = the smaller of a and b", _SUM),
    (
        "VLOOP",
        0x3E,
        "vector",
        "set the counts and strides of the commands with the flag `looped`",
        f"count_1 8 16, count_2 24 16, {_STRIDES}",
    ),
    (
        "VDOT",
        0x3F,
        "vector",
        "dst = clamp(R(sum of (a - a_zero) * (b - b_zero)) + dst_zero), looped: sums over n",
        f"{_BINARY}, {_CLAMP}, {_A_ZERO}, {_B_ZERO}, {_DST_ZERO}, {_SCALE}",
    ),
)

_SHOWN_IN_HEX = ("ext", "sram", "param", "a", "b", "dst", "block", "rows", "sums")
_ELEMENTS = {element.name.lower(): element for element in ElementType}

BASES = {"a": 11, "b": 12, "dst": 13}
"""Addresses of vectors in SRAM that a flag of the command, `a_rel` say, makes relative, and the
register that is then added to each, modulo 2**24."""
OPERANDS = tuple(BASES)
"""The fields that address vectors in SRAM."""
SCALES = {"multiplier": 15, "shift": 14}
"""What the flag `scaled` of a vector command takes from registers instead: their low bits."""
_ADDRESS_BITS = 24
_FLAGS = dict(zip(BASES, range(251, 254), strict=True))


def _field(text: str) -> Field:
    name, lsb, width, *element = text.split()
    kinds = [_ELEMENTS.get(word, word) for word in element]
    return Field(name, int(lsb), int(width.rstrip("s")), width.endswith("s"), *kinds)


def _fields(texts: str) -> tuple[Field, ...]:
    fields = [_field(text) for text in texts.split(",") if text]
    flags = [Field(f"{f.name}_rel", _FLAGS[f.name], 1) for f in fields if f.element is not None]
    return (*fields, *flags)


OPCODES: dict[str, Opcode] = {
    name: Opcode(name, code, unit, summary, _fields(fields))
    for name, code, unit, summary, fields in _TABLE
}
BY_CODE: dict[int, Opcode] = {op.code: op for op in OPCODES.values()}
UNITS: tuple[str, ...] = tuple(dict.fromkeys(op.unit for op in OPCODES.values()))
"""The units that run commands."""
TAGGED: tuple[str, ...] = tuple(name for name, op in OPCODES.items() if op.tagged)
"""Commands that start a transfer and do not wait for it."""
WRITES_REGISTER: tuple[str, ...] = tuple(n for n, op in OPCODES.items() if op.writes_register)
"""Commands that have a result in a scalar register."""


@dataclass(frozen=True)
class Command:
    """One command: an opcode and its field values (every field of the opcode, by name)."""

    opcode: Opcode
    values: dict[str, int]

    def __getattr__(self, name: str) -> int:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"{self.opcode.name} has no field {name!r}") from None

    @property
    def operand_types(self) -> tuple[ElementType | None, ElementType | None, ElementType | None]:
        """Element types of the OPERANDS; None where the command has no such operand."""
        a, b, dst = (self._element(name) for name in OPERANDS)
        return a, b, dst

    @cached_property
    def relative(self) -> tuple[str, ...]:
        """The OPERANDS whose addresses are relative to their BASES."""
        return tuple(name for name in OPERANDS if self.values.get(f"{name}_rel"))

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Where its OPERANDS lie in SRAM."""
        return tuple(self.values[name] for name in OPERANDS if self.opcode.has(name))

    @cached_property
    def scale(self) -> tuple[int, ...]:
        """Its multiplier and its shift, if they come from SCALES."""
        return tuple(self.values[name] for name in SCALES) if self.values.get("scaled") else ()

    def resolved(self, registers: Sequence[int]) -> "Command":
        """The same command with relative addresses made absolute, and with its scale: itself if it
        takes nothing from registers."""
        if not (self.relative or self.scale):
            return self
        found = {
            name: (self.values[name] + registers[BASES[name]]) % (1 << _ADDRESS_BITS)
            for name in self.relative
        }
        if self.scale:
            found |= {
                name: self.opcode.field(name).wrap(registers[index])
                for name, index in SCALES.items()
            }
        return Command(self.opcode, self.values | found)

    def _element(self, operand: str) -> ElementType | None:
        if not self.opcode.has(operand):
            return None
        element = self.opcode.field(operand).element
        assert element is not None, f"{self.opcode.name}.{operand} has a type"
        return ElementType(self.values[element] if isinstance(element, str) else element)

    def __str__(self) -> str:
        """Disassembly: opcode and the fields that are not zero."""
        shown = []
        for field in self.opcode.fields:
            value = self.values[field.name]
            if field.name in ("rd", "rs1", "rs2"):
                if value or field.name == "rd":
                    shown.append(f"{field.name}=r{value}")
            elif field.name.endswith("_type"):
                shown.append(f"{field.name}={ElementType(value).name.lower()}")
            elif value:
                wide = field.name in _SHOWN_IN_HEX
                shown.append(f"{field.name}={value:#x}" if wide else f"{field.name}={value}")
        return " ".join([f"{self.opcode.name:<10}", *shown]).rstrip()


def command(name: str, **values: int) -> Command:
    """Build a command; fields that are not given are zero.

    Raises ValueError for an unknown opcode or field and for a value that its field cannot hold.
    """
    opcode = OPCODES.get(name)
    if opcode is None:
        raise ValueError(f"no opcode {name!r}")
    known = {f.name: f for f in opcode.fields}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"{name} has no field {key!r}")
        low, high = known[key].range
        if not low <= value <= high:
            raise ValueError(f"{name}.{key} must be {low} to {high}, not {value}")
    return Command(opcode, {f.name: int(values.get(f.name, 0)) for f in opcode.fields})


def encode(cmd: Command) -> bytes:
    """The 32 bytes of a command."""
    word = cmd.opcode.code
    for field in cmd.opcode.fields:
        word |= (cmd.values[field.name] & ((1 << field.width) - 1)) << field.lsb
    return word.to_bytes(COMMAND_BYTES, "little")


def decode(raw: bytes) -> Command:
    """Read a command. Raises ImageError for an unknown opcode or bits outside every field."""
    word = int.from_bytes(raw, "little")
    opcode = BY_CODE.get(word & 0xFF)
    if opcode is None:
        raise ImageError(f"illegal opcode {word & 0xFF:#04x}")
    values = {}
    rest = word ^ opcode.code
    for field in opcode.fields:
        mask = (1 << field.width) - 1
        value = (word >> field.lsb) & mask
        rest &= ~(mask << field.lsb)
        if field.signed and value >> (field.width - 1):
            value -= 1 << field.width
        values[field.name] = value
    if rest:
        bit = (rest & -rest).bit_length() - 1
        raise ImageError(f"{opcode.name} has bit {bit} set, which belongs to no field")
    return Command(opcode, values)


def split_program(raw: bytes) -> list[bytes]:
    """A program's commands, each as its bytes. Raises ImageError when it ends within one."""
    if len(raw) % COMMAND_BYTES:
        raise ImageError(f"program of {len(raw)} bytes is not a whole number of commands")
    return [raw[at : at + COMMAND_BYTES] for at in range(0, len(raw), COMMAND_BYTES)]


def decode_program(raw: bytes) -> list[Command]:
    """Read a whole program. Raises ImageError naming the command's index."""
    commands = []
    for pc, command in enumerate(split_program(raw)):
        try:
            commands.append(decode(command))
        except ImageError as error:
            raise ImageError(f"command {pc}: {error}") from None
    return commands
