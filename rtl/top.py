"""The chip: units, memories, DMA and control, wired."""

from amaranth.hdl import (
    ClockSignal,
    DomainRenamer,
    Module,
    Mux,
    ResetInserter,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from npu.chip.params import ChipParams
from rtl.control.control import Control
from rtl.control.registers import ADDRESS_BITS
from rtl.dma.base import MemoryBase
from rtl.dma.dma import Dma
from rtl.matvec.matvec import MatVec
from rtl.memory.memories import ParamMemory, ProgramMemory, VectorSram
from rtl.memory.scrub import Scrubber
from rtl.sequencer.sequencer import Sequencer
from rtl.shared import axi
from rtl.shared.clock_gate import GATE, ClockGate, clock_domain
from rtl.shared.interfaces import PC_BITS, sram_write
from rtl.shared.options import GATED, PLAIN, Options
from rtl.vector.vector import VectorUnit

SETTLING = 10
"""Cycles behind the last change of what all units see, after which nothing moves in an idle one."""


def debug(params: ChipParams, options: Options = PLAIN) -> wiring.Signature:
    """What the chip shows to a test bench, seen from the chip: enough to make retire records.

    `active` is high while a program runs or a transfer is open: the cycles that the twin counts;
    `running` while a program runs. `start` and `retire` mark the first and last cycle of command
    `pc`. `sram` and `register` show every byte written to vector SRAM, by whichever unit, and every
    scalar register that a command writes, in the cycle of the write. With gated clocks, `clocks`
    has a bit for each of GATED: its clock has an edge at the end of the cycle.
    """
    write = sram_write(params)
    return wiring.Signature(
        {
            "active": Out(1),
            "running": Out(1),
            "start": Out(1),
            "retire": Out(1),
            "pc": Out(PC_BITS),
            "sram_en": Out(write.members["en"].shape),
            "sram_addr": Out(write.members["addr"].shape),
            "sram_data": Out(write.members["data"].shape),
            "register_en": Out(1),
            "register_index": Out(4),
            "register_value": Out(32),
            **({"clocks": Out(len(GATED))} if options.clock_gating else {}),
        }
    )


class Chip(wiring.Component):
    """A whole chip, cycle for cycle as `npu.twin.machine`.

    One clock, synchronous reset; with `clock_gating` some units have it gated. After reset, a host
    loads a program and starts it through the registers of `rtl.control.registers`.

    Parameters
    ----------
    params : ChipParams.
    options : Options.

    Members
    -------
    axi : Out, AXI4 manager to external memory.
    axil : In, AXI4-Lite subordinate.
    irq : Out, level.
    debug : Out, see `debug`; leave it open in a product.
    test_enable : In, only with `clock_gating`: no clock is gated, as for a scan chain.
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
        super().__init__(
            {
                "axi": Out(axi.axi4(params.bus_bytes)),
                "axil": In(axi.axi4_lite(ADDRESS_BITS)),
                "irq": Out(1),
                "debug": Out(debug(params, options)),
                **({"test_enable": In(1)} if options.clock_gating else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p, options = self._params, self._options
        control = Control(p, options)
        sequencer, matvec = Sequencer(p, options), MatVec(p, options)
        vector, dma = VectorUnit(p), Dma(p)
        sram = VectorSram(p, a_users=4, b_users=1, writers=4, options=options)
        param, program = ParamMemory(p, options=options), ProgramMemory(p, options)

        m.submodules.control = control
        m.submodules.sram, m.submodules.param, m.submodules.program = sram, param, program
        resets: dict[str, Signal] = {}
        for name, unit in (
            ("sequencer", sequencer),
            ("matvec", matvec),
            ("vector", vector),
            ("dma", dma),
        ):
            # A reset of its own for each: it goes to many registers.
            reset = Signal(name=f"reset_{name}")
            m.d.sync += reset.eq(control.reset)
            part = ResetInserter(reset)(unit)
            gated = options.clock_gating and name in GATED
            m.submodules[name] = DomainRenamer(name)(part) if gated else part
            resets[name] = reset

        wiring.connect(m, wiring.flipped(self.axil), control.axil)
        m.submodules.base = base = MemoryBase(p.bus_bytes)
        wiring.connect(m, dma.axi, base.inner)
        wiring.connect(m, wiring.flipped(self.axi), base.outer)
        wiring.connect(m, control.host, sequencer.host)
        wiring.connect(m, control.program, dma.program)
        wiring.connect(m, sequencer.program, program.read)
        wiring.connect(m, sequencer.matvec, matvec.unit)
        wiring.connect(m, sequencer.vector, vector.unit)
        wiring.connect(m, sequencer.transfers, dma.transfers)
        m.d.comb += [
            self.irq.eq(control.irq),
            sequencer.vector_result.eq(vector.result),
            sequencer.vector_found.eq(vector.found),
            base.page.eq(control.page),
            dma.hold.eq(control.hold),
            dma.watchdog.eq(control.watchdog),
            control.active.eq(dma.active),
            control.moving.eq(dma.busy),
            control.dma_error.eq(dma.error),
            control.dma_error_pc.eq(dma.error_pc),
            sequencer.commands.eq(control.commands),
        ]

        readers = (matvec.sram_read, vector.a, dma.sram_read, sequencer.sram)
        for port, user in zip(sram.a, readers, strict=True):
            wiring.connect(m, port, user)
        wiring.connect(m, sram.b[0], vector.b)
        writers = (matvec.sram_write, vector.write, dma.sram_write, sequencer.sram_write)
        for port, user in zip(sram.write, writers, strict=True):
            self._delay(m, user, port)
        wiring.connect(m, param.pair[0], matvec.param)
        wiring.connect(m, param.read[0], vector.param)
        self._delay(m, dma.param, param.write)
        self._delay(m, dma.bank, matvec.bank)
        self._delay(m, dma.program_memory, program.write)

        if options.parity:
            self._protect(m, control, sequencer, matvec, (sram, param, program))
        if options.clock_gating:
            self._gate(m, resets, sequencer, matvec, dma, control)
        self._count(m, control, sequencer, matvec, dma)
        self._show(m, sequencer, dma, writers)
        return m

    def _delay(self, m: Module, writer, port) -> None:
        """Write a cycle later, out of registers: memories lie far apart, and nobody reads so soon.

        A command reads in its second cycle at the earliest, so behind the last cycle of another.
        """
        for name in port.signature.members:
            m.d.sync += getattr(port, name).eq(getattr(writer, name))

    def _protect(self, m: Module, control, sequencer, matvec, memories) -> None:
        """Memories are filled behind a hardware reset; what is wrong in them stops the program."""
        sram, param, program = memories
        m.submodules.scrubber = scrubber = Scrubber(self._params)
        scrub = scrubber.scrub
        m.d.comb += [
            control.scrubbing.eq(scrub.en),
            matvec.scrub.en.eq(scrub.en),
            matvec.scrub.address.eq(scrub.address),
        ]
        # Out of registers, in place of the writers, which are idle and give zeros.
        with m.If(scrub.en):
            for port in (sram.write[0], param.write, program.write):
                m.d.sync += [port.en.eq(~0), port.addr.eq(scrub.address)]
        # A command that finds it has not ended by then, see `rtl.sequencer.sequencer`.
        m.d.sync += sequencer.wrong.eq(matvec.wrong | sram.wrong | param.wrong)
        m.d.comb += sequencer.command_wrong.eq(program.wrong)

    def _gate(self, m: Module, resets, sequencer, matvec, dma, control) -> None:
        """The clock of a unit is on while the unit works, and where what it sees may change.

        All units see the command at hand and the registers that belong to it. They stand still
        while the sequencer waits for a unit or for the DMA, and while no program runs.
        """
        waits = (
            sequencer.matvec_busy
            | sequencer.vector_busy
            | sequencer.waiting
            | sequencer.transfer_busy
        )
        moves = control.host.start | (sequencer.host.running & ~waits)
        working: dict[str, Value] = {
            "matvec": sequencer.matvec_busy | dma.bank.en.any() | matvec.bank.en.any(),
            "vector": sequencer.vector_busy,
            "dma": dma.busy | dma.active | control.program.valid | control.hold,
        }
        if self._options.parity:
            working["matvec"] |= matvec.scrub.en
        for index, name in enumerate(GATED):
            domain = clock_domain(name)
            m.domains += domain
            gate = ClockGate()
            m.submodules[f"{GATE}_{name}"] = gate
            left = Signal(range(SETTLING + 1), init=SETTLING, name=f"{name}_settles")
            awake = moves | working[name] | resets[name]
            m.d.sync += left.eq(Mux(awake, SETTLING, left - left.any()))
            m.d.comb += [
                domain.rst.eq(ResetSignal()),
                gate.clk.eq(ClockSignal()),
                gate.enable.eq(awake | left.any() | ResetSignal()),
                gate.test_enable.eq(self.test_enable),
                domain.clk.eq(gate.gated),
                self.debug.clocks[index].eq(gate.enable | gate.test_enable),
            ]

    def _count(self, m: Module, control, sequencer, matvec, dma) -> None:
        counted = {
            "cycles": sequencer.host.running,
            "commands": sequencer.retire,
            "sequencer_cycles": sequencer.fetching,
            "matvec_cycles": sequencer.matvec_busy,
            "vector_cycles": sequencer.vector_busy,
            "dma_cycles": sequencer.transfer_busy,
            "wait_cycles": sequencer.waiting,
            "transfer_cycles": dma.busy,
            "symbols": matvec.events.symbols,
            "macs": matvec.events.macs,
            "macs_gated": matvec.events.gated,
            "stalled_turns": matvec.events.stalled,
            "bytes_read": dma.read_beat,
            "bytes_written": dma.write_beat,
        }
        m.d.comb += [control.events[name].eq(value) for name, value in counted.items()]

    def _show(self, m: Module, sequencer, dma, writers) -> None:
        d = self.debug
        m.d.comb += [
            d.running.eq(sequencer.host.running),
            d.active.eq(sequencer.host.running | dma.busy),
            d.start.eq(sequencer.start),
            d.retire.eq(sequencer.retire),
            d.pc.eq(sequencer.pc),
            d.register_en.eq(sequencer.register.en),
            d.register_index.eq(sequencer.register.index),
            d.register_value.eq(sequencer.register.value),
        ]
        for name in ("en", "addr", "data"):
            value = 0
            for writer in writers:
                value = value | getattr(writer, name)
            m.d.comb += getattr(d, f"sram_{name}").eq(value)
