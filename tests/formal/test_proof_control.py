"""What a host writes is done or refused as the register map says, whatever comes.

The specification keeps the control block's registers a second time, from the accesses on the bus.
What it assumes of sequencer and DMA is their contract (`rtl.shared.interfaces.host`,
`rtl.dma.dma`): the DMA's part is proven in test_proof_hold, the sequencer's in
test_proof_sequencer.

Not proven: that the counters behind CYCLES count (they are made by the same lines), and anything of
a bus wider or a program memory larger than PARAMS has; the tests run other sizes.
"""

import pytest
from amaranth.hdl import Assume, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import load_params
from npu.chip.status import WATCHDOG_BITS, Status
from npu.chip.weight_format import VERSION
from rtl.control.control import Control
from rtl.control.registers import BY_NAME, ID, REGISTERS
from rtl.shared.axi import Response
from rtl.shared.interfaces import PC_BITS, STATUS_BITS
from tests.formal.faults import faulty
from tests.formal.prove import before, check, prove

# Program memory of 48 commands, not a power of two.
PARAMS = load_params("tiny").model_copy(update={"program_bytes": 1536, "lanes": 1})
BUS = PARAMS.bus_bytes
BEATS = PARAMS.program_bytes // BUS
WORDS = COMMAND_BYTES // BUS
SCALARS = [f"R{i}" for i in range(16)]
# Cycles from the bus being quiet to the end of a reset.
RESET_CYCLES = 4


MOVING_CHECKS = {"read_value", "loads", "write_answer", "load_only_when_quiet", "base"}


def offset(name: str) -> int:
    return BY_NAME[name].offset


class ControlSpec(wiring.Component):
    """Any accesses of a host; sequencer and DMA do what their contracts allow."""

    def __init__(self, unit: Control) -> None:
        self._unit = unit
        super().__init__(
            {
                "aw_valid": In(1),
                "w_valid": In(1),
                "strb": In(4),
                "ar_valid": In(1),
                "write_address": In(8),
                "read_address": In(8),
                "data": In(32),
                "b_ready": In(1),
                "r_ready": In(1),
                "running": In(1),
                "host_error": In(STATUS_BITS),
                "host_error_pc": In(PC_BITS),
                "host_read": In(32),
                "active": In(1),
                "moving": In(1),
                "dma_error": In(STATUS_BITS),
                "dma_error_pc": In(PC_BITS),
                "done": In(1),
                "cycles_event": In(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        bus = unit.axil
        m.d.comb += [
            bus.aw.valid.eq(self.aw_valid),
            bus.aw.payload.addr.eq(self.write_address),
            bus.w.valid.eq(self.w_valid),
            bus.w.payload.data.eq(self.data),
            bus.w.payload.strb.eq(self.strb),
            bus.ar.valid.eq(self.ar_valid),
            bus.ar.payload.addr.eq(self.read_address),
            bus.b.ready.eq(self.b_ready),
            bus.r.ready.eq(self.r_ready),
            unit.host.running.eq(self.running),
            unit.host.error.eq(self.host_error),
            unit.host.error_pc.eq(self.host_error_pc),
            unit.host.read.eq(self.host_read),
            unit.active.eq(self.active),
            unit.moving.eq(self.moving),
            unit.dma_error.eq(self.dma_error),
            unit.dma_error_pc.eq(self.dma_error_pc),
            unit.program.done.eq(self.done),
            unit.events.cycles.eq(self.cycles_event),
        ]
        self._accesses(m, bus)
        wiped = before(m, unit.reset)  # in this cycle the units are reset
        self.hung = self.dma_error == Status.BUS_TIMEOUT
        self.refused: dict[str, Value] = {}
        self.start_pc, self.commands = Signal(PC_BITS), Signal(PC_BITS)
        self.address, self.base, self.watchdog = Signal(32), Signal(32), Signal(WATCHDOG_BITS)
        self._environment(m, unit, wiped)
        self._states(m, unit)
        self._actions(m, unit, wiped)
        self._load(m, unit)
        self._registers(m, unit)
        self._answers(m, bus)
        return m

    def _accesses(self, m: Module, bus) -> None:
        """An access comes in the cycle after its request is taken; its answer in the one behind."""
        self.write, self.read, self.whole = Signal(), Signal(), Signal()
        self.at, self.value = Signal(8), Signal(32)
        write, read = bus.aw.valid & bus.aw.ready, bus.ar.valid & bus.ar.ready
        m.d.sync += [
            self.write.eq(write),
            self.read.eq(read),
            self.whole.eq(self.strb.all()),
            self.at.eq(Mux(write, self.write_address, self.read_address) & 0xFC),
            self.value.eq(self.data),
        ]

        access = Signal()
        m.d.comb += access.eq(self.write | self.read)
        check(m, "accesses_are_apart", ~access | ~before(m, access))

    def writes(self, name: str):
        return self.write & self.whole & (self.at == offset(name))

    def _environment(self, m: Module, unit, wiped) -> None:
        """What sequencer and DMA may do."""
        running = before(m, self.running)
        host_error = before(m, self.host_error)
        dma_error = before(m, self.dma_error)
        active = before(m, self.active)
        moving = before(m, self.moving)
        moved = before(m, moving)
        hold = before(m, unit.hold)
        start = before(m, unit.host.start)
        loading = before(m, unit.program.valid)
        reset = before(m, wiped, init=1)
        given_up = before(m, self.hung)
        self.was_running, self.was_moving, self.reset_now = running, moving, reset
        none = [self.running, self.active, self.moving, self.host_error, self.dma_error]
        m.d.comb += [
            *(Assume(~reset | (signal == 0)) for signal in none),
            # The sequencer runs from a start on, and stops once with its error.
            Assume(~self.running | running | start),
            Assume(~start | reset | self.running),
            Assume((host_error == Status.OK) | reset | (self.host_error == host_error)),
            Assume((self.host_error == host_error) | reset | (running & ~self.running)),
            Assume(~self.running | (self.host_error == Status.OK)),
            # The DMA does not go on the bus while it is held; its error stays, and comes from a
            # transfer: in the cycle after its last at the latest.
            Assume(~self.active | active | ~hold),
            Assume(~self.moving | moving | self.running | (loading & given_up)),
            Assume((dma_error == Status.OK) | reset | (self.dma_error == dma_error)),
            Assume((self.dma_error == dma_error) | reset | moving | moved | loading),
            # A load that the control block has given up goes on and ends as a transfer.
            Assume(~self.done | ((unit.program.valid | self.hung) & self.active)),
        ]
        for name in ("host_error", "dma_error"):
            pc = getattr(self, f"{name}_pc")
            error = getattr(self, name)
            was = (host_error, dma_error)[name == "dma_error"]
            m.d.comb += Assume((was == Status.OK) | (error == Status.OK) | (pc == before(m, pc)))

    def _states(self, m: Module, unit) -> None:
        """What the chip is said to do, and whether it is free: now and in the cycle before."""
        self.error, self.error_pc = Signal(STATUS_BITS), Signal(PC_BITS)
        with m.If(self.host_error != Status.OK):
            m.d.comb += [self.error.eq(self.host_error), self.error_pc.eq(self.host_error_pc)]
        with m.Elif((self.dma_error != Status.OK) & ~self.running):
            m.d.comb += [self.error.eq(self.dma_error), self.error_pc.eq(self.dma_error_pc)]
        self.still_moving = self.moving | self.was_moving
        self.free = ~self.running & ~unit.program.valid & ~unit.hold
        self.good = self.error == Status.OK
        self.free_before = before(m, self.free)
        self.good_before = before(m, self.good)
        self.quiet_before = before(m, ~self.still_moving)

    def _actions(self, m: Module, unit, wiped) -> None:
        start, reset, load = self.value[0], self.value[1], self.value[2]
        one = start + reset + load <= 1
        fits = (self.commands != 0) & (self.commands <= PARAMS.program_commands)
        fits &= self.address[: exact_log2(BUS)] == 0
        ready = self.free_before & self.good_before
        quiet = ready & self.quiet_before
        allowed, done = Signal(), Signal()
        m.d.comb += [
            allowed.eq(one & (~start | ready) & (~load | (quiet & fits))),
            done.eq(self.writes("CONTROL") & allowed),
        ]
        self.refused["CONTROL"] = ~allowed
        self.clears = done & self.value[3]
        check(m, "start", unit.host.start == (done & start))
        check(m, "start_only_when_free", ~unit.host.start | self.free)
        check(m, "start_at", unit.host.pc == self.start_pc)
        check(m, "load_only_when_quiet", ~(done & load) | (self.free & self.good & ~self.moving))

        held, loading = before(m, unit.hold), before(m, unit.program.valid)
        asked_reset, asked_load = before(m, done & reset), before(m, done & load)
        ends = unit.program.valid & (self.done | self.hung)
        ended, over = before(m, ends), before(m, wiped)
        check(m, "hold", unit.hold == ((held | asked_reset) & ~over))
        check(m, "loads", unit.program.valid == ((asked_load | (loading & ~ended)) & ~over))
        # Units are reset while the bus is quiet, and soon; then a start is allowed.
        check(m, "reset_only_when_quiet", ~(unit.reset | wiped) | (unit.hold & ~self.active))
        waited = Signal(range(RESET_CYCLES + 2))
        m.d.sync += waited.eq(0)
        with m.If(unit.hold & ~self.active & (waited <= RESET_CYCLES)):
            m.d.sync += waited.eq(waited + 1)
        check(m, "reset_ends", waited < RESET_CYCLES)
        check(m, "idle_after_reset", ~over | (self.free & self.good))
        check(m, "start_after_reset", ~before(m, over) | ~before(m, self.free) | ready)

    def _load(self, m: Module, unit) -> None:
        program = unit.program
        was, commands = before(m, program.valid), before(m, unit.commands)
        for name, payload in (("address", program.address), ("beats", program.beats)):
            stays = payload == before(m, payload)
            check(m, f"load_{name}_stable", ~(was & program.valid) | stays)
        check(m, "load_address", ~program.valid | (program.address == self.address))
        check(m, "load_size", ~program.valid | (program.beats == self.commands * WORDS))
        check(m, "load_fits", ~program.valid | ((program.beats != 0) & (program.beats <= BEATS)))
        check(m, "load_aligned", ~program.valid | (program.address[: exact_log2(BUS)] == 0))
        check(m, "running_or_loading", ~(self.running & program.valid))
        check(m, "commands_of_a_run_stay", ~self.running | (unit.commands == commands))
        check(m, "commands_fit", unit.commands <= PARAMS.program_commands)
        check(m, "no_commands_while_loading", ~program.valid | (unit.commands == 0))
        done = self.done & program.valid
        well, size = before(m, done & self.good), before(m, self.commands)
        badly, ended = before(m, done & ~self.good), before(m, done)
        check(m, "commands_loaded", ~well | (unit.commands == size))
        check(m, "commands_lost", ~badly | (unit.commands == 0))
        check(m, "commands_stay", program.valid | ended | (unit.commands == commands))

    def _registers(self, m: Module, unit) -> None:
        """The registers once more."""
        for name, signal in (
            ("START_PC", self.start_pc),
            ("WATCHDOG", self.watchdog),
            ("PROGRAM_ADDRESS", self.address),
            ("PROGRAM_COMMANDS", self.commands),
        ):
            refused = self.value >= 1 << len(signal) if len(signal) < 32 else 0
            if name.startswith("PROGRAM"):
                refused = refused | unit.program.valid
            self.refused[name] = refused
            with m.If(self.writes(name) & ~refused):
                m.d.sync += signal.eq(self.value)
        still = self.free_before & self.quiet_before
        self.refused["MEMORY_BASE"] = ~still | (self.value[:12] != 0)
        with m.If(self.writes("MEMORY_BASE") & ~self.refused["MEMORY_BASE"]):
            m.d.sync += self.base.eq(self.value)
        check(m, "watchdog", unit.watchdog == self.watchdog)
        check(m, "base", Cat(Const(0, 12), unit.page) == self.base)
        in_use = self.running | unit.program.valid | self.moving
        check(m, "base_stays", ~in_use | (unit.page == before(m, unit.page)))
        enabled, happened = Signal(2), Signal(2)
        with m.If(self.writes("IRQ_ENABLE")):
            m.d.sync += enabled.eq(self.value)
        cleared = Mux(self.writes("IRQ_STATUS"), self.value[:2], 0)
        loaded = unit.program.valid & (self.done | self.hung)
        events = Cat(self.was_running & ~self.running, loaded)
        m.d.sync += happened.eq((happened & ~cleared) | events)
        check(m, "interrupt", unit.irq == (enabled & happened).any())
        cycles, seen = Signal(32), before(m, self.cycles_event)
        m.d.sync += cycles.eq(Mux(self.clears, 0, cycles + seen))
        state = Signal(32)
        m.d.comb += state.eq(
            Cat(
                self.running,
                unit.program.valid,
                unit.hold,
                self.still_moving,
                Const(0, 4),
                self.error,
            )
        )
        self.shown = {
            "ID": ID,
            "VERSION": VERSION,
            "STATUS": before(m, state),
            "ERROR_PC": before(m, self.error_pc),
            "START_PC": self.start_pc,
            "PROGRAM_ADDRESS": self.address,
            "WATCHDOG": self.watchdog,
            "PROGRAM_COMMANDS": self.commands,
            "MEMORY_BASE": self.base,
            "IRQ_ENABLE": enabled,
            "IRQ_STATUS": happened,
            "CYCLES": cycles,
        }
        scalar = (self.at >= offset("R0")) & (self.at <= offset("R15"))
        for name in SCALARS:
            self.shown[name] = self.host_read
            self.refused[name] = ~self.free_before
        written = self.write & self.whole & scalar & self.free_before
        check(m, "scalar_written", unit.host.write == written)
        check(m, "scalar_free", ~written | ~self.running)
        check(m, "scalar_value", ~written | (unit.host.value == self.value))
        check(m, "scalar_index", ~scalar | (unit.host.index == self.at[2:6]))

        # What STATUS says is true until the host's next access.
        idle = (state[:4] == 0) & self.good
        was_idle = before(m, idle)
        asked = before(m, unit.host.start | self.writes("CONTROL"))
        check(m, "no_error_behind_the_end", ~was_idle | asked | idle)
        was_error, before_pc = before(m, ~self.good), before(m, self.error_pc)
        stays = ~self.good & (self.error_pc == before_pc)
        check(m, "error_stays", ~was_error | self.reset_now | stays | self.running)
        check(m, "no_index_without_error", ~self.good | (self.error_pc == 0))

    def _answers(self, m: Module, bus) -> None:
        """Every answer, in the cycle behind the access."""
        refused, shown, known = Signal(), Signal(32), Signal()
        m.d.comb += [refused.eq(1), known.eq(1)]
        with m.Switch(self.at):
            for register in REGISTERS:
                with m.Case(register.offset):
                    readable = register.access != "wo"
                    may_write = self.whole & ~self.refused.get(register.name, Const(0, 1))
                    if register.access == "ro":
                        may_write = 0
                    m.d.comb += refused.eq(Mux(self.write, ~may_write, not readable))
                    if readable and register.name in self.shown:
                        m.d.comb += shown.eq(self.shown[register.name])
                    elif readable:
                        m.d.comb += known.eq(0)  # one of the other counters
        response = Mux(before(m, refused), Response.SLVERR, Response.OKAY)
        wrote, read = before(m, self.write), before(m, self.read)
        check(m, "write_answer", ~wrote | (bus.b.valid & (bus.b.payload.resp == response)))
        check(m, "read_answer", ~read | (bus.r.valid & (bus.r.payload.resp == response)))
        data, known = before(m, shown), before(m, known)
        check(m, "read_value", ~(read & known) | (bus.r.payload.data == data))


def test_control():
    verdict = prove(ControlSpec(Control(PARAMS)))
    assert verdict.proved, verdict


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("(start & ~ready)", "(start & ~free)", {"start", "start_only_when_free"}),
        ("(program_commands != 0)", "(program_commands < 65536)", {"load_fits", "loads"}),
        ("<= self._params.program_commands", "<= 64", {"load_fits", "loads"}),
        ("~program_address[: exact_log2(bus_bytes)].any()", "1", {"load_aligned", "loads"}),
        ("            | (start & load)\n", "", {"start", "loads", "write_answer"}),
        ("resetting & ~self.active & ", "resetting & ", {"reset_only_when_quiet"}),
        ("with m.If(wiped):", "with m.If(self.reset):", {"hold", "reset_only_when_quiet"}),
        ("m.If(wiped):", "m.If(wiped & ~self.moving):", {"hold", "reset_ends", "idle_after_reset"}),
        ("moving.eq(self.moving | moved)", "moving.eq(self.moving)", MOVING_CHECKS),
        (
            " & ~self.host.running):\n            m.d.comb += [error",
            "):\n            m.d.comb += [error",
            {"read_value", "start"},
        ),
        ("happened.eq(happened & ~bus.write_data)", "happened.eq(0)", {"interrupt", "read_value"}),
        (
            "with m.If(ran & ~self",
            'with m.If(~writes["IRQ_STATUS"] & ran & ~self',
            {"interrupt", "read_value"},
        ),
        (
            "program_commands, ~loading)",
            "program_commands, 1)",
            {"load_size", "load_beats_stable", "write_answer", "load_fits"},
        ),
        (
            "& ~refused & asked[name]",
            "& asked[name]",
            {
                "start",
                "loads",
                "hold",
                "read_value",
                "start_only_when_free",
                "load_only_when_quiet",
                "load_fits",
            },
        ),
        ("writes_scalar & free", "writes_scalar", {"scalar_written", "scalar_free"}),
        (
            "            with m.If(error == Status.OK):\n",
            "            with m.If(1):\n",
            {"commands_lost"},
        ),
        ("allowed.eq(free & still", "allowed.eq(free", {"write_answer", "base", "base_stays"}),
        ("loading.eq(1), self.commands.eq(0)", "loading.eq(1)", {"no_commands_while_loading"}),
    ],
)
def test_faulty_control(old, new, failed):
    verdict = prove(ControlSpec(faulty("rtl.control.control", old, new).Control(PARAMS)))
    assert verdict.refuted and verdict.failed in failed, verdict
