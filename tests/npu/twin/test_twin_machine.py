"""The sequencer, transfers, races, and what the chip stops with."""

import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec.tile import pack_tile
from npu.chip import timing
from npu.chip.isa import command, encode
from npu.chip.status import Status
from npu.chip.tile import least_front
from npu.errors import ImageError, MachineError
from npu.twin import machine as machine_module
from npu.twin.dma import Place
from npu.twin.machine import Machine
from tests.naive import wrap
from tests.npu.twin.programs import chip, failure, machine, put

OVERHEAD = timing.FETCH + timing.DECODE
INT32 = st.sampled_from([-(2**31), 2**31 - 1, -1, 0, 1]) | st.integers(-(2**31), 2**31 - 1)


# --- scalar commands ----------------------------------------------------------------------------
@given(INT32, INT32, INT32)
def test_arithmetic_wraps(x, y, imm):
    made = machine(
        command("ADD", rd=3, rs1=1, rs2=2, imm=imm),
        command("MUL", rd=4, rs1=1, imm=imm),
    )
    cycles = made.run(0, {1: x, 2: y})
    assert made.registers[3] == wrap(x + y + imm)
    assert made.registers[4] == wrap(x * imm)
    assert cycles == OVERHEAD + 2 * timing.DECODE + 2 * timing.SCALAR + timing.MULTIPLY


@given(INT32, INT32, INT32)
def test_branches(x, y, imm):
    right = wrap(y + imm)
    taken = {"BEQ": x == right, "BNE": x != right, "BLT": x < right, "BGE": x >= right}
    for name, expected in taken.items():
        made = machine(command(name, rs1=1, rs2=2, imm=imm, target=2), command("ADD", rd=5, imm=1))
        made.run(0, {1: x, 2: y})
        assert made.registers[5] == (0 if expected else 1)


def test_r0_is_zero_and_the_others_persist():
    made = machine(command("ADD", rd=0, imm=7), command("ADD", rd=9, rs1=9, imm=2))
    for start in range(1, 4):
        made.run(0)
        assert made.registers[0] == 0
        assert made.registers[9] == 2 * start


def test_a_loop_counts():
    made = machine(
        command("ADD", rd=1, rs1=1, imm=-1),
        command("ADD", rd=2, rs1=2, rs2=1, imm=0),
        command("BNE", rs1=1, target=0),
    )
    cycles = made.run(0, {1: 10, 2: 0})
    assert made.registers[2] == 45
    # The first command is fetched, and where nine branches lead.
    assert cycles == 10 * timing.FETCH + (3 * 10 + 1) * (timing.DECODE + timing.SCALAR)
    assert made.counters.commands == 31
    assert made.counters.cycles == cycles


def test_retire_records_follow_one_another():
    retired = []
    made = machine(
        command("ADD", rd=1, imm=-2),
        command("MUL", rd=2, rs1=1, imm=3),
        observer=lambda retire, chip: retired.append((retire, chip.cycle)),
    )
    made.run(0)
    assert [r.name for r, _ in retired] == ["ADD", "MUL", "HALT"]
    assert retired[0][0].written == zlib.crc32((-2).to_bytes(4, "little", signed=True))
    assert retired[2][0].written == 0
    for (one, after), (two, _) in itertools.pairwise(retired):
        assert after == one.end + 1
        assert two.start == one.end + 1 + timing.DECODE
    assert retired[1][0].as_dict()["end"] - retired[1][0].start + 1 == timing.MULTIPLY


# --- errors -------------------------------------------------------------------------------------
def test_a_program_without_end_is_stopped(monkeypatch):
    monkeypatch.setattr(machine_module, "MAX_COMMANDS", 1000)
    made = machine(command("BEQ", target=0))
    assert failure(made) == "no HALT within 1000 commands"
    assert made.counters.commands == 1000


def test_leaving_the_program():
    made = Machine(chip(), 1 << 16, bytes(32)[:0])
    assert failure(made) == "program counter 0 is outside the program"
    made = machine(command("BEQ", target=77))
    assert failure(made) == "program counter 77 is outside the program"
    made.reset()
    assert failure(made, -1) == "program counter -1 is outside the program"


def test_a_chip_in_error_is_refused_until_a_reset():
    made = machine(command("ADD", rd=1, imm=5), command("BEQ", target=77), command("HALT"))
    failure(made)
    assert made.status == Status.ILLEGAL_COMMAND
    refusal = r"refused to {}: in error \(ILLEGAL_COMMAND\); reset"
    with pytest.raises(MachineError, match=refusal.format("start")):
        made.run(2, {2: 1})
    with pytest.raises(MachineError, match=refusal.format("load a program")):
        made.load(0, 1)
    assert made.registers[:3] == [0, 5, 1]
    made.reset()
    assert not any(made.registers)
    made.run(2)


def test_loads_of_programs():
    made = machine(command("ADD", rd=1, imm=5))
    raw = encode(command("ADD", rd=1, imm=6)) + encode(command("HALT"))
    put(made.memory.data, 64, np.frombuffer(raw, np.uint8))
    for address, n, message in (
        (64, 0, "refused to load 0 commands: program memory holds 1 to 768"),
        (64, 769, "refused to load 769 commands: program memory holds 1 to 768"),
        (68, 2, "refused to load a program from 0x44: not a multiple of 8"),
    ):
        with pytest.raises(MachineError, match=message) as refused:
            made.load(address, n)
        assert refused.value.status is None
    made.run(0)
    assert made.registers[1] == 5
    made.load(64, 2)
    made.run(0)
    assert made.registers[1] == 6
    with pytest.raises(MachineError, match="program load failed: bus error") as failed:
        made.load(len(made.memory.data) - 32, 2)
    assert failed.value.status == made.status == Status.BUS
    made.reset()
    assert failure(made) == "program counter 0 is outside the program"


def test_wrong_arguments():
    made = machine()
    for register in (-1, 0, 16):
        with pytest.raises(ValueError, match=f"register 1 to 15, not {register}"):
            made.run(0, {register: 1})
    made.run(0, {15: 2**31})
    assert made.registers[15] == -(2**31)


def test_programs_that_do_not_fit():
    size = chip().program_bytes
    with pytest.raises(
        MachineError, match=f"program of {size + 32} bytes, chip 'tiny' holds {size}"
    ):
        Machine(chip(), 1 << 16, bytes(size + 32))
    with pytest.raises(ImageError, match="33 bytes is not a whole number"):
        Machine(chip(), 1 << 16, bytes(33))


def test_illegal_commands_stop_the_chip_when_it_comes_to_them():
    made = Machine(chip(), 1 << 16, encode(command("HALT")) + b"\xff" + bytes(31) + bytes(32))
    made.run(0)
    # Memory of zeros is no program either.
    for pc, code in ((1, "0xff"), (2, "0x0")):
        with pytest.raises(MachineError, match=f"command {pc}: illegal opcode {code}") as raised:
            made.run(pc)
        assert (raised.value.status, raised.value.pc) == (Status.ILLEGAL_COMMAND, pc)
        made.reset()


END = 1 << 16


def matvec(**fields):
    return command("MATVEC", **({"columns": 8} | fields))


@pytest.mark.parametrize(
    ("cmd", "message"),
    [
        (command("LOAD", ext=4, beats=1), "address 0x4 is not a multiple of 8"),
        (command("LOAD", ext=0, beats=0), "a transfer of no beats"),
        (command("LOAD", ext=END - 8, beats=2), "bus error: 16 bytes at 0xfff8 lie outside"),
        (command("STORE", ext=2**32 - 8, beats=1), "bus error: 8 bytes at 0xfffffff8"),
        (command("LOAD", sram=8188, beats=1), "address 0x1ffc in SRAM is not a multiple of 8"),
        (command("LOAD", sram=8184, beats=2), "16 bytes at 0x1ff8 lie outside SRAM"),
        (command("STORE", sram=8184, beats=2), "16 bytes at 0x1ff8 lie outside SRAM"),
        (command("LOAD_PARAM", param=8, beats=1024), "8192 bytes at 0x8 lie outside parameter"),
        (command("LOAD_PARAM", param=4, beats=1), "address 0x4 in parameter memory is not"),
        (command("LOAD_REG", rd=1, ext=2), "address 0x2 is not a multiple of 4"),
        (command("STORE_REG", ext=END), "bus error: 8 bytes at 0x10000 lie outside"),
        (matvec(a=4), "address 0x4 in SRAM is not a multiple of 8"),
        (matvec(a=8192), "8 bytes at 0x2000 lie outside SRAM"),
        (
            matvec(dst_type=1, dst=1),
            "address 0x1 in SRAM is not a multiple of 2",
        ),
        (matvec(dst=8193), "0 bytes at 0x2001 lie outside SRAM"),
        (
            matvec(bank=511),
            "matvec: section at bank word 1022 lies outside the bank",
        ),
        (
            matvec(bank=2**24 - 1),
            "matvec: section at bank word 33554430 lies outside",
        ),
        (
            matvec(block=8200),
            "matvec: matrix block at 8200 lies outside parameter",
        ),
        (command("MATVEC", columns=1025), "matvec: 1025 columns, a lane's activation copy holds"),
        (command("MATVEC"), "matvec: 0 columns, a lane's activation copy holds 1 to 1024"),
        (matvec(), "matvec: format version 0, this decoder reads version 4"),
    ],
    ids=str,
)
def test_errors_name_the_command(cmd, message):
    made = machine(command("ADD", rd=1, imm=0), cmd)
    assert failure(made).startswith(f"command 1 ({cmd}): {message}")


# --- transfers ----------------------------------------------------------------------------------
def test_loads_and_stores_move_bytes():
    made = machine(
        command("LOAD", rs1=1, ext=0x1000, sram=64, beats=4),
        command("STORE", rs1=1, ext=0x2000, sram=72, beats=2),
        command("LOAD_PARAM", ext=0x1000, param=128, beats=2, tag=2),
        command("WAIT", tags=1 << 2),
    )
    values = np.arange(64, dtype=np.uint8)
    put(made.memory.data, 0x1000, values)
    made.run(0, {1: 16})
    np.testing.assert_array_equal(made.sram[64:96], values[16:48])
    np.testing.assert_array_equal(made.memory.data[0x2010:0x2020], values[24:40])
    np.testing.assert_array_equal(made.param[128:144], values[:16])
    assert (made.counters.bytes_read, made.counters.bytes_written) == (48, 16)


@given(INT32)
def test_registers_travel_through_memory(value):
    made = machine(
        command("STORE_REG", rs1=2, rs2=1, ext=0x1004),
        command("LOAD_REG", rs1=2, rd=5, ext=0x1004),
        command("LOAD_REG", rs1=2, rd=6, ext=0x1000),
    )
    made.run(0, {1: value, 2: 8})
    assert made.registers[5] == value
    assert made.registers[6] == 0
    assert made.memory.data[0x100C:0x1010].view("<i4")[0] == value


def retired(made):
    records = []
    made.observer = lambda retire, _: records.append(retire)
    made.run(0)
    return records


def test_a_full_queue_stalls_and_wait_waits():
    loads = [command("LOAD_PARAM", ext=0, param=0, beats=100, tag=t) for t in range(4)]
    made = machine(*loads, command("WAIT", tags=0b0010), params=chip(dma_queue=2))
    a, b, c, d, wait, halt = retired(made)
    one = 2 + 20 + 100 + 1  # start, latency, beats, done
    # A tagged transfer takes a cycle, fetch and decode come before it.
    step = timing.DECODE + 1
    assert (a.start, a.end) == (OVERHEAD, OVERHEAD)
    assert (b.start, b.end) == (OVERHEAD + step, OVERHEAD + step)
    first_done = a.end + one - 1
    assert (c.start, c.end) == (OVERHEAD + 2 * step, first_done + 1)
    # The second's beats follow those of the first, its latency behind them.
    assert d.end == first_done + timing.DMA_NEXT + 100 + 1
    # Only tag 1 is waited for, and it is done by now.
    assert wait.end == wait.start
    assert halt.start == wait.end + 1 + timing.DECODE
    assert made.counters.wait_cycles == (c.end - c.start) + (d.end - d.start)
    made = machine(*loads[:2], command("WAIT", tags=0b0010))
    records = retired(made)
    assert records[2].end == records[0].end + one + timing.DMA_NEXT + 100


def test_a_tile_is_dealt_to_the_banks():
    """Sections of 4 directory words and 2, 0, 5 and 3 words of streams."""
    directory = np.array([1 << 20 | 64, 0, 0, 0], np.uint32)
    streams = np.split(np.arange(100, 110, dtype=np.uint32), [2, 2, 7])
    sections = [np.concatenate([directory, words]) for words in streams]
    image = np.frombuffer(pack_tile(sections, 2, 2), np.uint8)
    # A word of one section is loose; the second is there for the others' sake.
    assert len(image) == 8 * (least_front(2) + 1 + 1 + 2 + 1)
    made = machine(command("LOAD_BANK", ext=0, bank=3, beats=len(image) // 8, tag=1))
    put(made.memory.data, 0, image)
    made.run(0)
    (transfer,) = made.dma.transfers
    assert transfer.place == Place("bank", 3, 8)
    assert made.banks[:, :6].sum() == 0
    assert made.banks[:, 6:17].tolist() == [
        [1 << 20 | 64, lane << 20, 0, (lane + 1) << 20, *words, *[0] * (7 - len(words))]
        for lane, words in enumerate(map(list, streams))
    ]


# --- transfers that fail ------------------------------------------------------------------------
ADD = command("ADD", rd=1, rs1=1, imm=1)
OUTSIDE = command("LOAD_PARAM", ext=END - 8 * 20, param=0, beats=21, tag=3)
# The cycle behind the answer to the 21st beat, counted from the transfer's first.
ANSWERED = timing.DMA_START + 20 + 21


def stopped(*commands):
    """Records and the error of a program that stops."""
    records = []
    made = machine(*commands, observer=lambda retire, _: records.append(retire))
    with pytest.raises(MachineError) as raised:
        made.run(0)
    return records, raised.value


def test_a_failed_transfer_stops_the_chip_in_the_next_fetch():
    records, error = stopped(OUTSIDE, *[ADD] * 30)
    assert (error.status, error.pc) == (Status.BUS, 0)
    taken = records[0].end
    # The last command that was fetched before the answer came.
    assert records[-1].start - timing.DECODE < taken + ANSWERED <= records[-1].end + 1
    assert len(records) < 20


@pytest.mark.parametrize(
    "wait",
    [
        command("WAIT", tags=8),
        command("LOAD", beats=1),
        command("LOAD_REG", rd=2),
        command("STORE", beats=1),
        command("LOAD_PARAM", ext=0, param=512, beats=1),
        ADD,
    ],
    ids=str,
)
def test_a_failed_transfer_stops_what_waits(wait):
    """The last one behind HALT."""
    queued = [command("LOAD_PARAM", ext=0, param=256, beats=1, tag=1)] * 3
    records, error = stopped(OUTSIDE, *queued, wait)
    assert (error.status, error.pc) == (Status.BUS, 0)
    assert len(records) == (6 if wait is ADD else 4)


def test_a_fault_before_the_answer_is_told_instead():
    records, error = stopped(OUTSIDE, command("VCOPY", n=8, a=1, a_type=1))
    assert (error.status, error.pc, len(records)) == (Status.ADDRESS, 1, 1)
    records, error = stopped(OUTSIDE, *[ADD] * 20, command("VCOPY", n=8, a=1, a_type=1))
    assert (error.status, error.pc) == (Status.BUS, 0)


def test_a_reset_forgets_a_failed_transfer():
    made = machine(OUTSIDE, command("WAIT", tags=8), command("HALT"), ADD)
    assert "bus error" in failure(made)
    made.reset()
    made.run(3)
    assert made.registers[1] == 1


def test_a_word_behind_the_last_bus_word_is_outside():
    cmd = command("LOAD_REG", rd=1, ext=96)
    made = Machine(chip(), 100, encode(cmd) + bytes(32))
    assert "bus error: 8 bytes at 0x60 lie outside" in failure(made)


# --- races --------------------------------------------------------------------------------------
def test_a_table_in_flight_is_a_race():
    load = command("LOAD_PARAM", ext=0, param=0, beats=64, tag=3)
    table = command("TABLE", param=504)
    assert failure(machine(load, table)) == (
        f"command 1 ({table}): race: param 0x1f8 to 0x2f8 is still being loaded"
    )
    machine(load, command("WAIT", tags=8), table).run(0)
    machine(load, command("TABLE", param=512)).run(0)


def test_a_table_in_flight_before_a_transfer_that_fails_is_a_race():
    load = command("LOAD_PARAM", ext=0, param=0, beats=64, tag=3)
    wrong = command("LOAD_BANK", ext=0, bank=0, beats=1, tag=4)
    never = command("LOAD_PARAM", ext=0, param=512, beats=64, tag=5)
    table = command("TABLE", param=504)
    assert failure(machine(load, wrong, table)) == (
        f"command 2 ({table}): race: param 0x1f8 to 0x2f8 is still being loaded"
    )
    # What is behind it never comes, and so is no race: the chip stops with what failed.
    found = failure(machine(load, wrong, never, command("TABLE", param=512)))
    assert "shorter than its front" in found


def test_nothing_comes_behind_a_transfer_that_fails():
    """A table behind it is not loaded, nor are banks: the command that reads it finds the old."""
    wrong = command("LOAD_BANK", ext=0, bank=0, beats=64, tag=4)
    table = command("LOAD_PARAM", ext=512, param=0, beats=32, tag=5)
    tile = command("LOAD_BANK", ext=1024, bank=0, beats=1, tag=6)
    look = command("VLUT", a=0, dst=0, n=8)
    made = machine(wrong, table, tile, command("TABLE", param=0), look, command("WAIT", tags=16))
    made.memory.data[512 : 512 + 256] = 7
    before = made.banks.copy()
    assert "a front of 0 bus words" in failure(made)
    assert not made.param.any() and not made.sram[:8].any()
    assert (made.banks == before).all()


def test_the_next_start_waits_for_open_transfers():
    load = command("LOAD_PARAM", ext=0, param=0, beats=64, tag=3)
    made = machine(load, command("HALT"), command("TABLE", param=0))
    made.run(0)
    made.run(2)
