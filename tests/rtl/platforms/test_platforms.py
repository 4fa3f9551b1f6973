"""Boards: the serial host, the memory in block RAM, and the project that Amaranth makes of them."""

import sys

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from npu.chip.params import load_params
from rtl.control.control import Control
from rtl.control.registers import ADDRESS_BITS, BY_NAME, ID
from rtl.platforms import ulx3s
from rtl.platforms.memory import BoardMemory
from rtl.platforms.protocol import ANSWER_BYTES, READ, REGISTERS, WRITE
from rtl.platforms.system import connect_memory
from rtl.platforms.uart import SerialHost
from rtl.platforms.ulx3s import Board, Ulx3sPlatform, output_divider

DIVISOR = 5
MEMORY_BYTES = 256
BUS_BYTES = 8
TIMEOUT_CYCLES = 10_000


def simulate(dut, bench):
    """Run a bench to its end, or fail after TIMEOUT_CYCLES."""
    ended = []

    async def whole(ctx):
        await bench(ctx)
        ended.append(True)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(whole)
    simulator.run_until(TIMEOUT_CYCLES * 1e-6)
    assert ended, "the simulation does not end"


class Line:
    """The host's end of the serial line."""

    def __init__(self, ctx, dut: SerialHost) -> None:
        self.ctx, self.dut = ctx, dut

    async def _send(self, byte: int) -> None:
        for bit in (0, *(byte >> i & 1 for i in range(8)), 1):
            self.ctx.set(self.dut.receive, bit)
            await self.ctx.tick().repeat(DIVISOR)

    async def _receive(self) -> int:
        while self.ctx.get(self.dut.send):
            await self.ctx.tick()
        await self.ctx.tick().repeat(DIVISOR // 2)
        byte = 0
        for i in range(8):
            await self.ctx.tick().repeat(DIVISOR)
            byte |= self.ctx.get(self.dut.send) << i
        await self.ctx.tick().repeat(DIVISOR)
        assert self.ctx.get(self.dut.send) == 1
        return byte

    async def access(self, kind: bytes, address: int, data: int = 0) -> tuple[int, int]:
        """(status, data) of a request."""
        for byte in kind + address.to_bytes(4, "little") + data.to_bytes(4, "little"):
            await self._send(byte)
        answer = bytes([await self._receive() for _ in range(ANSWER_BYTES)])
        return answer[0], int.from_bytes(answer[1:], "little")


@pytest.fixture
def parts():
    """A module with a host, memory and registers, wired."""
    m = Module()
    m.submodules.host = host = SerialHost(DIVISOR, ADDRESS_BITS, 8)
    m.submodules.memory = memory = BoardMemory(BUS_BYTES, MEMORY_BYTES)
    m.submodules.control = control = Control(load_params("tiny"))
    wiring.connect(m, host.axil, control.axil)
    connect_memory(m, host, memory)
    return m, host, memory


def test_a_host_reads_and_writes_memory_and_registers(parts):
    m, host, _ = parts
    start_pc = REGISTERS | BY_NAME["START_PC"].offset

    async def bench(ctx):
        line = Line(ctx, host)
        await line._send(0)  # skipped
        assert await line.access(READ, REGISTERS | BY_NAME["ID"].offset) == (0, ID)
        assert await line.access(WRITE, start_pc, 0x123) == (0, 0)
        assert await line.access(READ, start_pc) == (0, 0x123)
        assert (await line.access(WRITE, REGISTERS | BY_NAME["ID"].offset, 1))[0] == 1
        for address, word in ((0, 0x01234567), (4, 0x89ABCDEF), (MEMORY_BYTES - 4, 0xFFFFFFFE)):
            assert (await line.access(WRITE, address, word))[0] == 0
        assert await line.access(READ, 0) == (0, 0x01234567)
        assert await line.access(READ, 4) == (0, 0x89ABCDEF)
        assert await line.access(READ, MEMORY_BYTES - 4) == (0, 0xFFFFFFFE)

    simulate(m, bench)


def test_memory_answers_bursts_under_back_pressure():
    dut = BoardMemory(BUS_BYTES, MEMORY_BYTES)
    bus = dut.axi
    rng = np.random.default_rng(0)
    model = bytearray(MEMORY_BYTES)

    async def address(ctx, channel, at, beats):
        ctx.set(channel.payload.addr, at)
        ctx.set(channel.payload.len, beats - 1)
        ctx.set(channel.valid, 1)
        await ctx.tick().until(channel.ready)
        ctx.set(channel.valid, 0)

    async def write(ctx, at, words, strobes):
        await address(ctx, bus.aw, at, len(words))
        for i, (word, strobe) in enumerate(zip(words, strobes, strict=True)):
            await ctx.tick().repeat(int(rng.integers(1, 3)))
            ctx.set(bus.w.payload.data, int.from_bytes(word, "little"))
            ctx.set(bus.w.payload.strb, strobe)
            ctx.set(bus.w.payload.last, i == len(words) - 1)
            ctx.set(bus.w.valid, 1)
            await ctx.tick().until(bus.w.ready)
            ctx.set(bus.w.valid, 0)
            for lane in range(BUS_BYTES):
                if strobe >> lane & 1:
                    model[at + i * BUS_BYTES + lane] = word[lane]
        ctx.set(bus.b.ready, 1)
        (response,) = await ctx.tick().sample(bus.b.payload.resp).until(bus.b.valid)
        assert response == 0
        ctx.set(bus.b.ready, 0)

    async def read(ctx, at, beats):
        await address(ctx, bus.ar, at, beats)
        got = b""
        for i in range(beats):
            await ctx.tick().repeat(int(rng.integers(1, 3)))
            ctx.set(bus.r.ready, 1)
            sampled = ctx.tick().sample(bus.r.payload.data, bus.r.payload.last)
            data, last = await sampled.until(bus.r.valid)
            ctx.set(bus.r.ready, 0)
            assert last == (i == beats - 1)
            got += data.to_bytes(BUS_BYTES, "little")
        return got

    async def bench(ctx):
        words = MEMORY_BYTES // BUS_BYTES
        whole = [rng.bytes(BUS_BYTES) for _ in range(words)]
        await write(ctx, 0, whole, [0xFF] * words)
        for _ in range(20):
            beats = int(rng.integers(1, 9))
            at = int(rng.integers(0, words - beats + 1)) * BUS_BYTES
            if rng.integers(2):
                data = [rng.bytes(BUS_BYTES) for _ in range(beats)]
                await write(ctx, at, data, [int(s) for s in rng.integers(0, 256, beats)])
            assert await read(ctx, at, beats) == model[at : at + beats * BUS_BYTES]

    simulate(dut, bench)


def test_the_board_is_a_whole_project():
    plan = Ulx3sPlatform().prepare(Board(load_params("tiny"), 60), name="ulx3s")
    constraints = plan.files["ulx3s.lpf"]
    text = constraints if isinstance(constraints, str) else constraints.decode()
    for pin in ("G2", "M1", "L4"):
        assert f'SITE "{pin}"' in text
    assert "25000000" in text.replace(".0", "")


@pytest.mark.parametrize("clock_mhz", [0, 63, 1000])
def test_a_clock_that_the_board_cannot_make_is_refused(clock_mhz):
    with pytest.raises(ValueError, match="the clock must be a multiple of 5 MHz"):
        output_divider(clock_mhz)


@pytest.mark.parametrize("clock_mhz", [5, 25, 60, 80, 300, 400])
def test_the_oscillator_stays_in_its_range(clock_mhz):
    assert 400 <= output_divider(clock_mhz) * clock_mhz <= 800


@pytest.fixture
def built(monkeypatch, capsys):
    """Call the program that builds a bitstream: its status, and what it says."""

    def build(*arguments) -> tuple[int | str | None, str]:
        monkeypatch.setattr(sys, "argv", ["ulx3s", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            ulx3s.main()
        said = capsys.readouterr()
        assert said.out == ""
        return ended.value.code, said.err

    return build


def test_without_the_tools_a_line_says_how_to_get_them(built, tmp_path, monkeypatch):
    monkeypatch.setattr(ulx3s, "TOOLS", {"NONE_A": "no-such-yosys", "NONE_B": "no-such-nextpnr"})
    needs = "error: a bitstream needs no-such-yosys, no-such-nextpnr: install the extras with pip "
    assert built("-o", tmp_path / "made") == (2, f"{needs}install 'zeroskip[rtl,synth]'\n")
    assert not (tmp_path / "made").exists()


def test_places_that_cannot_be_written_are_a_line(built, tmp_path, monkeypatch):
    monkeypatch.setattr(ulx3s, "TOOLS", {})
    (tmp_path / "file").write_text("")
    for place, why in (("file", "it is a file; name a folder"), ("file/in", "Not a directory")):
        said = f"error: cannot write {tmp_path / place}: {why}\n"
        assert built("-o", tmp_path / place) == (2, said)
    status, said = built("--chip", "vast", "-o", tmp_path / "made")
    assert status == 2 and said.startswith("error: chip 'vast' is neither")
