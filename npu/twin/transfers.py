"""The DMA's commands: what they bring where, and what is wrong with them."""

import numpy as np

from npu.chip.isa import Command
from npu.chip.status import Status
from npu.errors import MachineError
from npu.twin.bus import NEVER, NO_TILE
from npu.twin.dma import Place
from npu.twin.loaded import Loaded
from npu.twin.state import Done, State, require_inside, told_of
from npu.twin.tile import Dealt, deal


class TransferUnit:
    """Runs them on a chip's state, and notes in `loaded` what came."""

    def __init__(self, state: State, loaded: Loaded) -> None:
        self._state = state
        self._loaded = loaded

    def run(self, pc: int, cmd: Command, start: int) -> Done:
        """Do command `pc`, whose first cycle is `start`. Raises MachineError."""
        state, name, v = self._state, cmd.opcode.name, cmd.values
        bus_bytes = state.params.bus_bytes
        address = (state.registers[v["rs1"]] + v["ext"]) & 0xFFFFFFFF
        if name in ("LOAD_REG", "STORE_REG"):
            return self._register(cmd, address, start)
        # In the order in which the chip looks at them.
        if address % bus_bytes:
            raise MachineError(f"address {address:#x} is not a multiple of {bus_bytes}", Status.BUS)
        if v["beats"] == 0:
            raise MachineError("a transfer of no beats", Status.ADDRESS)
        n_bytes = v["beats"] * bus_bytes
        if name == "LOAD_PARAM":
            require_inside(v["param"], n_bytes, bus_bytes, state.param, "parameter memory")
        elif name != "LOAD_BANK":
            require_inside(v["sram"], n_bytes, bus_bytes, state.sram, "SRAM")
        if cmd.opcode.tagged:
            return self._tagged(pc, cmd, address, self._queued(start))
        begin = self._queued(start, waits=True)
        data = state.memory.window(address, n_bytes)
        local = state.sram[v["sram"] : v["sram"] + n_bytes]
        if name == "LOAD":
            local[:] = data
            done = state.dma.read(begin, address, v["beats"]).done
            state.events.sram_writes += v["beats"]
        else:
            data[:] = local
            done = state.dma.write(begin, address, v["beats"]).done
            state.events.sram_reads += v["beats"]
        state.counters.dma_cycles += done - begin + 1
        return done, local, None

    def _tagged(self, pc: int, cmd: Command, address: int, begin: int) -> Done:
        state, v = self._state, cmd.values
        space = "bank" if "bank" in v else "param"
        first, n_bytes = v[space], v["beats"] * state.params.bus_bytes
        if state.dma.failure is not None:
            # Nothing begins behind a transfer that fails: what the memories hold stays.
            state.dma.read(begin, address, v["beats"], tag=v["tag"])
            return begin, b"", None
        ends, dealing = np.array(first + n_bytes), NO_TILE
        if space == "bank":
            # What of a tile is in memory comes, and is dealt.
            there = min(v["beats"], state.dma.beats_inside(address)) * state.params.bus_bytes
            dealt = self._deal(state.memory.data[address : address + there], first)
            ends, dealing = dealt.ends, dealt.dealing
        try:
            data = state.memory.window(address, n_bytes)
            if space == "bank" and dealt.fault:
                raise MachineError(dealt.problem, Status.TILE)
        except MachineError as error:
            told, place = told_of(pc, cmd, error), Place(space, first)
            state.dma.fail(
                begin, address, v["beats"], dealing, tag=v["tag"], error=told, place=place
            )
            return begin, b"", None
        if space == "param":
            state.param[first : first + n_bytes] = data
        self._loaded.note(space, first, ends, address, data)
        state.events.loaded(space, first, ends, v["beats"])
        place = Place(space, first, int(ends.max()))
        state.dma.read(begin, address, v["beats"], dealing, v["tag"], place)
        return begin, b"", None

    def _register(self, cmd: Command, address: int, start: int) -> Done:
        state, v = self._state, cmd.values
        if address % 4:
            raise MachineError(f"address {address:#x} is not a multiple of 4", Status.BUS)
        begin = self._queued(start, waits=True)
        inside = address % state.params.bus_bytes
        beat = address - inside
        word = state.memory.window(beat, state.params.bus_bytes)[inside : inside + 4]
        if cmd.opcode.name == "LOAD_REG":
            done = state.dma.read(begin, beat, 1).done
            written = state.set(v["rd"], int(word.view("<i4")[0]))
        else:
            done = state.dma.write(begin, beat, 1).done
            written = state.registers[v["rs2"]].to_bytes(4, "little", signed=True)
            word[:] = np.frombuffer(written, np.uint8)
        state.counters.dma_cycles += done - begin + 1
        return done, written, None

    def _queued(self, start: int, waits: bool = False) -> int:
        """The cycle in which the DMA takes a transfer that is there from `start` on.

        waits : for the transfer's end; it has none behind one that failed.
        """
        dma = self._state.dma
        begin = dma.slot_free_at(start)
        dma.look(NEVER if waits else begin)
        self._state.counters.wait_cycles += begin - start
        return begin

    def _deal(self, tile: np.ndarray, first: int) -> Dealt:
        """Deal a tile's sections to the banks."""
        p = self._state.params
        banks = self._state.banks.reshape(p.lanes, -1, p.bus_bytes * 8 // 32)
        return deal(np.ascontiguousarray(tile).view(np.uint32), banks, first, p.threads)
