"""Control and status: the registers that a host's driver sees over AXI4-Lite."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import ChipParams
from npu.chip.status import WATCHDOG_BITS, Status
from rtl.control.axilite import AxiLite
from rtl.control.registers import (
    ADDRESS_BITS,
    BY_NAME,
    CONTROL,
    COUNTERS,
    IRQ,
    REGISTERS,
    SCALARS,
    STATUS,
    STATUS_BITS,
)
from rtl.dma.base import BASE_SHIFT
from rtl.dma.dma import program_load
from rtl.shared import axi
from rtl.shared.interfaces import PC_BITS, host
from rtl.shared.options import PLAIN, Options

_SCALARS = [f"R{i}" for i in range(SCALARS)]


def events(params: ChipParams) -> data.StructLayout:
    """By how much every counter of COUNTERS grows in a cycle (the last two: in bus words)."""
    wide = {"symbols", "macs", "macs_gated", "stalled_turns"}
    return data.StructLayout(
        {name: bits_for(params.lanes) if name in wide else 1 for name, _ in COUNTERS}
    )


class _State:
    """What goes on in the chip, and what the host has asked for.

    Attributes
    ----------
    error, error_pc : the error there is, and the command that it stands for.
    start_pc, program_address, program_commands, page : as the host wrote them; `page` is the
        memory's base in units of BURST_BOUNDARY bytes.
    watchdog : as the host wrote it.
    loading, resetting : a program, or a reset, is on its way; loaded : a load ends, in this cycle.
    moved, moving : transfers were open a cycle ago; they were, or are.
    """

    def __init__(self) -> None:
        self.error = Signal(STATUS_BITS)
        self.error_pc = Signal(PC_BITS)
        self.start_pc = Signal(PC_BITS, init=BY_NAME["START_PC"].reset)
        self.program_address = Signal(axi.ADDRESS_BITS, init=BY_NAME["PROGRAM_ADDRESS"].reset)
        self.program_commands = Signal(PC_BITS, init=BY_NAME["PROGRAM_COMMANDS"].reset)
        base = BY_NAME["MEMORY_BASE"].reset >> BASE_SHIFT
        self.page = Signal(axi.ADDRESS_BITS - BASE_SHIFT, init=base)
        self.watchdog = Signal(WATCHDOG_BITS, init=BY_NAME["WATCHDOG"].reset)
        self.loading, self.loaded = Signal(), Signal()
        self.resetting = Signal()
        moved, moving = Signal(), Signal()
        self.moved, self.moving = moved, moving


class Control(wiring.Component):
    """The registers of REGISTERS on AXI4-Lite.

    What `rtl.control.registers` says is refused is answered with SLVERR and has no effect.

    Parameters
    ----------
    params : ChipParams.
    options : Options.

    Members
    -------
    axil : In, AXI4-Lite.
    irq : Out, level: an enabled event has happened.
    host : Out, to the sequencer, see `rtl.shared.interfaces.host`.
    program : Out, to the DMA, see `rtl.dma.dma.program_load`.
    page : Out, to the bus, see `rtl.dma.base.MemoryBase`.
    hold : Out, the DMA must not start transfers: a reset is coming. Until the units are reset.
    watchdog : Out, to the DMA.
    commands : Out, to the sequencer: how many commands were loaded.
    active, moving : In, from the DMA: on the bus, transfers open. An error shows in the cycle after
        `moving` falls at the latest.
    dma_error, dma_error_pc : In, from the DMA: its error, and the command that asked for the
        transfer.
    reset : Out, resets every other unit at the end of the next cycle; the bus is quiet.
    events : In, see `events`.
    scrubbing : In, only with parity: memories are being filled; nothing may go on, as in a reset.
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
        super().__init__(
            {
                "axil": In(axi.axi4_lite(ADDRESS_BITS)),
                "irq": Out(1),
                "host": Out(host()),
                "program": Out(program_load()),
                "page": Out(axi.ADDRESS_BITS - BASE_SHIFT),
                "hold": Out(1),
                "watchdog": Out(WATCHDOG_BITS),
                "active": In(1),
                "moving": In(1),
                "commands": Out(PC_BITS),
                "dma_error": In(STATUS_BITS),
                "dma_error_pc": In(PC_BITS),
                "reset": Out(1),
                "events": In(events(params)),
                **({"scrubbing": In(1)} if options.parity else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.bus = bus = AxiLite(ADDRESS_BITS)
        wiring.connect(m, wiring.flipped(self.axil), bus.bus)
        writes = {r.name: Signal(name=f"write_{r.name.lower()}") for r in REGISTERS}
        with m.Switch(bus.address):
            for register in REGISTERS:
                with m.Case(register.offset):
                    m.d.comb += writes[register.name].eq(bus.write)
        state = _State()
        self._watch(m, state)
        free, refused, action = self._act(m, bus, writes["CONTROL"], state)
        enabled, happened = self._interrupt(m, bus, writes, state)
        refusals: dict[str, Value] = {"CONTROL": refused}
        refusals |= self._hold_registers(m, bus, writes, state)
        refusals |= self._place_memory(m, bus, writes["MEMORY_BASE"], state, free)
        refusals |= self._pass_scalars(m, bus, writes, free)
        values = self._count(m, action["clear"])
        values |= {
            "ID": BY_NAME["ID"].reset,
            "VERSION": BY_NAME["VERSION"].reset,
            "PARAMETERS": self._params.fingerprint,
            **self._status(m, state),
            "IRQ_ENABLE": enabled,
            "IRQ_STATUS": happened,
            "START_PC": state.start_pc,
            "PROGRAM_ADDRESS": state.program_address,
            "PROGRAM_COMMANDS": state.program_commands,
            "WATCHDOG": state.watchdog,
            "MEMORY_BASE": state.page << BASE_SHIFT,
        }
        values |= dict.fromkeys(_SCALARS, self.host.read)
        self._answer(m, bus, values, refusals)
        return m

    def _watch(self, m: Module, state: _State) -> None:
        """The error there is, and whether transfers are open."""
        error, error_pc = state.error, state.error_pc
        # While a program runs, what the DMA says is for the sequencer, which stops with it.
        with m.If(self.host.error != Status.OK):
            m.d.comb += [error.eq(self.host.error), error_pc.eq(self.host.error_pc)]
        with m.Elif((self.dma_error != Status.OK) & ~self.host.running):
            m.d.comb += [error.eq(self.dma_error), error_pc.eq(self.dma_error_pc)]
        # A cycle longer: until the last transfer's error would show.
        moved, moving = state.moved, state.moving
        m.d.sync += moved.eq(self.moving)
        m.d.comb += moving.eq(self.moving | moved)

    def _act(
        self, m: Module, bus: AxiLite, write: Signal, state: _State
    ) -> tuple[Signal, Value, dict[str, Signal]]:
        """Start, load, reset.

        Returns whether nothing goes on, whether what is asked for is refused, and what is done.
        """
        bus_bytes = self._params.bus_bytes
        error, loading, resetting = state.error, state.loading, state.resetting
        program_address, program_commands = state.program_address, state.program_commands
        asked = {f.name: bus.write_data[f.lsb] for f in CONTROL}
        action = {f.name: Signal(name=f"do_{f.name}") for f in CONTROL}
        # A cycle old: accesses are two apart, so each sees what the one before has done.
        free, ready, quiet, fits = Signal(), Signal(), Signal(), Signal()
        now_free = ~self.host.running & ~loading & ~resetting
        if self._options.parity:
            now_free = now_free & ~self.scrubbing
        wiped = Signal()  # at the end of this cycle the units are reset
        m.d.sync += [
            free.eq(now_free),
            ready.eq(now_free & (error == Status.OK)),
            quiet.eq(now_free & (error == Status.OK) & ~state.moving),
            fits.eq(
                (program_commands != 0)
                & (program_commands <= self._params.program_commands)
                & ~program_address[: exact_log2(bus_bytes)].any()
            ),
            # The DMA is held: it stays off the bus.
            self.reset.eq(resetting & ~self.active & ~self.reset & ~wiped),
            wiped.eq(self.reset),
        ]
        start, reset, load = asked["start"], asked["reset"], asked["load"]
        refused = (
            (start & ~ready)
            | (load & ~(quiet & fits))
            | (start & reset)
            | (start & load)
            | (reset & load)
        )
        m.d.comb += [signal.eq(write & ~refused & asked[name]) for name, signal in action.items()]
        m.d.comb += [
            self.host.start.eq(action["start"]),
            self.hold.eq(resetting),
            self.program.valid.eq(loading),
            # The bus may never end a load on which it is silent.
            state.loaded.eq(loading & (self.program.done | (error == Status.BUS_TIMEOUT))),
        ]
        with m.If(action["reset"]):
            m.d.sync += resetting.eq(1)
        with m.If(action["load"]):
            m.d.sync += [loading.eq(1), self.commands.eq(0)]
        with m.If(state.loaded):
            m.d.sync += loading.eq(0)
            with m.If(error == Status.OK):
                m.d.sync += self.commands.eq(program_commands)
        with m.If(wiped):
            m.d.sync += [resetting.eq(0), loading.eq(0)]
        return free, refused, action

    def _interrupt(
        self, m: Module, bus: AxiLite, writes: dict[str, Signal], state: _State
    ) -> tuple[Signal, Signal]:
        """Returns which events are enabled, and which have happened."""
        ran = Signal()
        enabled = Signal(len(IRQ), init=BY_NAME["IRQ_ENABLE"].reset)
        happened = Signal(len(IRQ), init=BY_NAME["IRQ_STATUS"].reset)
        m.d.sync += ran.eq(self.host.running)
        with m.If(writes["IRQ_ENABLE"]):
            m.d.sync += enabled.eq(bus.write_data)
        with m.If(writes["IRQ_STATUS"]):
            m.d.sync += happened.eq(happened & ~bus.write_data)
        with m.If(ran & ~self.host.running):
            m.d.sync += happened[0].eq(1)
        with m.If(state.loaded):
            m.d.sync += happened[1].eq(1)
        m.d.comb += self.irq.eq((enabled & happened).any())
        return enabled, happened

    def _hold_registers(
        self, m: Module, bus: AxiLite, writes: dict[str, Signal], state: _State
    ) -> dict[str, Value]:
        """The registers that hold what was written; returns when an access is refused."""
        bus_bytes = self._params.bus_bytes
        start_pc, loading = state.start_pc, state.loading
        program_address, program_commands = state.program_address, state.program_commands
        refusals = {}
        for name, signal, now in (
            ("START_PC", start_pc, 1),
            ("WATCHDOG", state.watchdog, 1),
            ("PROGRAM_ADDRESS", program_address, ~loading),
            ("PROGRAM_COMMANDS", program_commands, ~loading),
        ):
            allowed = now & ~bus.write_data[len(signal) :].any()
            refusals[name] = bus.write & ~allowed
            with m.If(writes[name] & allowed):
                m.d.sync += signal.eq(bus.write_data)
        m.d.comb += [
            self.host.pc.eq(start_pc),
            self.watchdog.eq(state.watchdog),
            self.host.index.eq(bus.address[2:]),
            self.host.value.eq(bus.write_data),
            self.program.address.eq(program_address),
            self.program.beats.eq(
                (program_commands * COMMAND_BYTES + bus_bytes - 1) >> exact_log2(bus_bytes)
            ),
        ]
        return refusals

    def _place_memory(
        self, m: Module, bus: AxiLite, write: Signal, state: _State, free: Signal
    ) -> dict[str, Value]:
        """The base of external memory; returns when an access is refused."""
        still = Signal()  # a cycle old, as `free`
        allowed = Signal()
        m.d.sync += still.eq(~state.moving)
        m.d.comb += [
            allowed.eq(free & still & ~bus.write_data[:BASE_SHIFT].any()),
            self.page.eq(state.page),
        ]
        with m.If(write & allowed):
            m.d.sync += state.page.eq(bus.write_data >> BASE_SHIFT)
        return {"MEMORY_BASE": bus.write & ~allowed}

    def _pass_scalars(
        self, m: Module, bus: AxiLite, writes: dict[str, Signal], free: Signal
    ) -> dict[str, Value]:
        """The sequencer's registers; returns when an access is refused."""
        writes_scalar = Signal()
        m.d.comb += [
            writes_scalar.eq(Cat(writes[name] for name in _SCALARS).any()),
            self.host.write.eq(writes_scalar & free),
        ]
        return dict.fromkeys(_SCALARS, bus.write & ~free)

    def _count(self, m: Module, clear: Signal) -> dict[str, object]:
        """The counters, a cycle behind the events, which come from far; returns their values."""
        values: dict[str, object] = {}
        seen = Signal.like(self.events)
        m.d.sync += seen.eq(self.events)
        for name, _ in COUNTERS:
            counter = Signal(32, name=name, init=BY_NAME[name.upper()].reset)
            with m.If(clear):
                m.d.sync += counter.eq(0)
            with m.Else():
                m.d.sync += counter.eq(counter + seen[name])
            in_bytes = name.startswith("bytes_")
            bus_word = exact_log2(self._params.bus_bytes)
            values[name.upper()] = counter << bus_word if in_bytes else counter
        return values

    def _status(self, m: Module, state: _State) -> dict[str, object]:
        """What STATUS and ERROR_PC show."""
        status = Signal(32)
        fields = {
            "running": self.host.running,
            "loading": state.loading,
            "resetting": state.resetting | (self.scrubbing if self._options.parity else 0),
            "moving": state.moving,
            "error": state.error,
        }
        error_pc_now = Signal.like(state.error_pc)
        m.d.sync += error_pc_now.eq(state.error_pc)
        for field in STATUS:
            m.d.sync += status[field.lsb : field.lsb + field.width].eq(fields[field.name])
        return {"STATUS": status, "ERROR_PC": error_pc_now}

    def _answer(
        self, m: Module, bus: AxiLite, values: dict[str, object], refusals: dict[str, Value]
    ) -> None:
        """Every access has its answer: a value, or an error."""
        m.d.comb += bus.error.eq(1)
        with m.Switch(bus.address):
            for register in REGISTERS:
                with m.Case(register.offset):
                    if register.access != "wo":
                        m.d.comb += bus.read_data.eq(values[register.name])
                    allowed = {
                        "ro": bus.read,
                        "wo": bus.write,
                        "rw": bus.read | bus.write,
                        "w1c": bus.read | bus.write,
                    }[register.access]
                    m.d.comb += bus.error.eq(~allowed | refusals.get(register.name, 0))
