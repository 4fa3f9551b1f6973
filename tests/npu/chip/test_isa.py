"""The instruction table: every field of every opcode, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.chip.isa import (
    BY_CODE,
    COMMAND_BYTES,
    OPCODES,
    REGISTERS,
    TAGS,
    ElementType,
    command,
    decode,
    decode_program,
    encode,
)
from npu.chip.params import ChipParams
from npu.errors import ImageError

each_opcode = pytest.mark.parametrize("name", OPCODES)


def values(name):
    drawn = {}
    for field in OPCODES[name].fields:
        low, high = field.range
        drawn[field.name] = st.sampled_from([low, high]) | st.integers(low, high)
    return st.fixed_dictionaries(drawn)


@each_opcode
@given(data=st.data())
def test_round_trip(name, data):
    drawn = data.draw(values(name))
    cmd = command(name, **drawn)
    raw = encode(cmd)
    assert len(raw) == COMMAND_BYTES
    assert decode(raw) == cmd
    # An independent reading of the bits.
    word = int.from_bytes(raw, "little")
    assert word % 256 == OPCODES[name].code
    for field in OPCODES[name].fields:
        bits = (word >> field.lsb) % 2**field.width
        assert bits == drawn[field.name] % 2**field.width


@each_opcode
def test_fields_never_overlap_and_fit(name):
    spans = sorted((f.lsb, f.lsb + f.width) for f in OPCODES[name].fields)
    ends = [8, *(end for _, end in spans)]
    assert all(start >= end for (start, _), end in zip(spans, ends, strict=False))
    assert ends[-1] <= 8 * COMMAND_BYTES
    assert len({f.name for f in OPCODES[name].fields}) == len(spans)
    assert OPCODES[name].summary
    assert OPCODES[name].unit in {"sequencer", "dma", "matvec", "vector"}


def test_opcodes_are_distinct():
    assert len(BY_CODE) == len(OPCODES)
    assert all(BY_CODE[opcode.code] is opcode for opcode in OPCODES.values())


def test_equal_fields_lie_in_equal_places():
    """One decoder serves all opcodes: common operands never move."""
    for name in ("rd", "rs1", "rs2", "ext", "dst", "n", "a", "tag", "beats", "dst_type"):
        places = {
            (f.lsb, f.width) for opcode in OPCODES.values() for f in opcode.fields if f.name == name
        }
        assert len(places) == 1, name


def test_fields_hold_what_the_chip_may_have():
    """Every address of the largest chip can be named."""
    largest = {
        key: next(m.le for m in field.metadata if hasattr(m, "le"))
        for key, field in ChipParams.model_fields.items()
        if any(hasattr(m, "le") for m in field.metadata)
    }

    def most(name, field):
        return OPCODES[name].field(field).range[1]

    assert most("LOAD_PARAM", "param") >= largest["param_bytes"]
    assert most("LOAD", "sram") >= largest["sram_bytes"]
    assert most("VADD", "b") >= largest["sram_bytes"]
    assert most("LOAD_BANK", "bank") >= largest["bank_bytes"] // 8
    assert most("LOAD", "ext") >= largest["memory_bytes"] - 1
    assert most("ADD", "rd") == REGISTERS - 1
    assert most("WAIT", "tags") == 2**TAGS - 1


@each_opcode
def test_stray_bits_are_refused(name):
    covered = set(range(8))
    for field in OPCODES[name].fields:
        covered |= set(range(field.lsb, field.lsb + field.width))
    for bit in set(range(8 * COMMAND_BYTES)) - covered:
        raw = (OPCODES[name].code | 1 << bit).to_bytes(COMMAND_BYTES, "little")
        with pytest.raises(ImageError, match=f"^{name} has bit {bit} set, which belongs to no"):
            decode(raw)


def test_illegal_opcodes():
    for code in set(range(256)) - set(BY_CODE):
        with pytest.raises(ImageError, match=f"^illegal opcode {code:#04x}$"):
            decode(bytes([code]) + bytes(31))


def test_programs():
    commands = [command(name) for name in OPCODES]
    raw = b"".join(map(encode, commands))
    assert decode_program(raw) == commands
    assert decode_program(b"") == []
    with pytest.raises(ImageError, match="program of 33 bytes is not a whole number of commands"):
        decode_program(bytes(33))
    with pytest.raises(ImageError, match=r"^command 2: illegal opcode 0xfe$"):
        decode_program(raw[:64] + b"\xfe" + bytes(31))


def test_commands_are_checked():
    with pytest.raises(ValueError, match="no opcode 'NOP'"):
        command("NOP")
    with pytest.raises(ValueError, match="ADD has no field 'target'"):
        command("ADD", target=1)
    for value in (-1, 16):
        with pytest.raises(ValueError, match=rf"ADD\.rd must be 0 to 15, not {value}"):
            command("ADD", rd=value)
    with pytest.raises(ValueError, match=r"ADD.imm must be -2147483648 to 2147483647, not 2147483"):
        command("ADD", imm=2**31)
    cmd = command("ADD", rd=3)
    assert (cmd.rd, cmd.imm) == (3, 0)
    with pytest.raises(AttributeError, match="ADD has no field 'n'"):
        _ = cmd.n


@pytest.mark.parametrize(
    ("cmd", "text"),
    [
        (command("HALT"), "HALT"),
        (command("ADD", rd=3, rs1=2, imm=-7), "ADD        rd=r3 rs1=r2 imm=-7"),
        (command("ADD"), "ADD        rd=r0"),
        (command("WAIT", tags=3), "WAIT       tags=3"),
        (command("LOAD", ext=256, beats=2), "LOAD       ext=0x100 beats=2"),
        (
            command("VCOPY", dst=64, n=9, a_type=1),
            "VCOPY      dst=0x40 n=9 a_type=int16",
        ),
    ],
    ids=str,
)
def test_disassembly(cmd, text):
    assert str(cmd) == text


def test_every_field_shows_in_the_disassembly():
    for name, opcode in OPCODES.items():
        for field in opcode.fields:
            shown = str(command(name, **{field.name: field.range[1]}))
            assert f"{field.name}=" in shown
            assert shown != str(command(name))


def test_element_types():
    assert [kind.n_bytes for kind in ElementType] == [1, 2, 4]
