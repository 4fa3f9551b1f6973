"""Sequencer: runs a program, one command after the other, and gives the units their work."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip.isa import BASES, REGISTERS, SCALES
from npu.chip.params import ChipParams
from npu.chip.status import Status
from rtl.sequencer.arithmetic import RESULTS, Arithmetic
from rtl.sequencer.command import Command
from rtl.sequencer.numbers import SramNumbers
from rtl.sequencer.scalars import ScalarRegisters
from rtl.sequencer.watched import Watched
from rtl.shared.commands import CommandCheck, fields
from rtl.shared.interfaces import (
    KINDS,
    PC_BITS,
    STATUS_BITS,
    host,
    program_read,
    sram_read,
    sram_write,
    transfer,
    unit,
)
from rtl.shared.options import PLAIN, Options

ACTIVITIES = ("fetching", "matvec_busy", "vector_busy", "waiting", "transfer_busy")


def register_write() -> wiring.Signature:
    """A write to a scalar register, to be watched."""
    return wiring.Signature({"en": Out(1), "index": Out(range(REGISTERS)), "value": Out(32)})


class Sequencer(Watched, wiring.Component):
    """Executes programs in the cycles of `npu.twin.machine`.

    A command takes FETCH cycles to fetch and DECODE to decode, and starts in the one behind, cycle
    S. The next has been fetched before its last cycle, E, and is decoded behind it; one that it
    branches to is fetched behind E. Scalar commands and branches end in S or as
    `npu.chip.timing.SCALARS` says, WAIT in the first cycle without an open transfer of its tags,
    tagged transfers in the cycle in which the DMA takes them, the others with their unit's `done`.

    The program stops, `running` falls and `error`, `error_pc` say why:

    - in S + REFUSED - 1, for a command that is illegal or lies outside the program
      (ILLEGAL_COMMAND), a transfer whose external address is misaligned (BUS), that has no beats,
      or whose local address is misaligned or outside its memory (ADDRESS), in this order; so is a
      number in SRAM;
    - in E, when a unit reports an error;
    - when the next one's registers are read, or at once while a command waits for the DMA, when a
      transfer fails whose command has ended. Its `word` was the command's index; the DMA gives it
      back as `error_pc`;
    - with parity, at once when a word that was read has a wrong bit (PARITY, `Watched`). A command
      whose own bits are wrong does not begin.

    Parameters
    ----------
    params : ChipParams.
    options : Options.

    Members
    -------
    host : In, see `rtl.shared.interfaces.host`.
    commands : In, how many commands the program has; as many as fit where nothing drives it.
    program : read port of program memory.
    matvec, vector : Out, see `rtl.shared.interfaces.unit`; `vector_result` is VARGMAX's, with
        `vector_found`. Addresses are absolute in their commands.
    sram, sram_write : ports of the vector SRAM, zero when idle.
    transfers : Out, see `rtl.shared.interfaces.transfer`.
    start, retire : Out, high in S and in E of every command; `retire` not after an error.
    pc : Out, the command's index, from the cycle behind the last one's E to its own.
    register : Out, the register that a command writes, in the cycle `retire`.
    fetching : Out, a command is fetched or decoded.
    matvec_busy, vector_busy : Out, a unit works.
    waiting : Out, a command waits for the DMA's queue or tags.
    transfer_busy : Out, a command waits for its transfer's end, from the cycle the DMA took it.
    wrong, command_wrong : In, only with parity: a word that was read is wrong, for a cycle; the
        command that was on `program` two cycles ago is (`rtl.memory.memories.ProgramMemory`).
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
        self._begun = Signal(PC_BITS)
        super().__init__(
            {
                "host": In(host()),
                "commands": In(PC_BITS, init=params.program_commands),
                "program": In(program_read(params)),
                "matvec": Out(unit()),
                "vector": Out(unit()),
                "vector_result": In(32),
                "vector_found": In(1),
                "sram": In(sram_read(self._params)),
                "sram_write": In(sram_write(self._params)),
                "transfers": Out(transfer()),
                "start": Out(1),
                "retire": Out(1),
                "pc": Out(PC_BITS),
                "register": Out(register_write()),
                **dict.fromkeys(ACTIVITIES, Out(1)),
                **(dict.fromkeys(("wrong", "command_wrong"), In(1)) if options.parity else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        command = Command(self._params)
        registers = self._registers(m, command)
        self._place(m, command, registers)
        external, address = self._arithmetic(m, command)
        m.submodules.check = check = CommandCheck()
        m.d.comb += check.cmd.eq(command.cmd)
        self._offer(m, command, address)
        self._refuse(m, command, check, external)
        self._run(m, command, registers, check)
        return m

    def _registers(self, m: Module, command: Command) -> ScalarRegisters:
        """The scalar registers, written by the command or, while none runs, by the host."""
        cmd = command.cmd
        m.submodules.registers = registers = ScalarRegisters(4)
        m.d.comb += [
            registers.index[2].eq(self.host.index),
            self.host.read.eq(registers.value[2]),
        ]
        m.d.comb += [
            self.register.en.eq(command.writes & command.writes_register),
            self.register.index.eq(fields(cmd, "ADD").rd),
        ]
        with m.If(self.host.running):
            m.d.comb += [
                registers.write.eq(self.register.en),
                registers.write_index.eq(self.register.index),
                registers.write_value.eq(self.register.value),
            ]
        with m.Else():
            m.d.comb += [
                registers.write.eq(self.host.write),
                registers.write_index.eq(self.host.index),
                registers.write_value.eq(self.host.value),
            ]
        return registers

    def _place(self, m: Module, command: Command, registers: ScalarRegisters) -> None:
        """Read a command's registers, of a unit's the bases, and give the units their commands.

        There are two ports for three bases and a multiplier: the latter half is read in the cycle
        behind, and goes to its place at once. A shift has a port of its own.
        """
        scalar = fields(command.cmd, "ADD")
        operands = (
            Mux(command.checked, BASES["dst"], BASES["a"]),
            Mux(command.checked, SCALES["multiplier"], BASES["b"]),
        )
        flags = (
            Mux(command.checked, command.is_relative("dst"), command.is_relative("a")),
            command.checked | command.is_relative("b"),
        )
        for port, index in enumerate((scalar.rs1, scalar.rs2)):
            m.d.comb += [
                registers.index[port].eq(Mux(command.of_unit, operands[port], index)),
                registers.en[port].eq(~command.of_unit | flags[port]),
            ]
        bases = {"a": command.left, "b": command.right, "dst": registers.value[0]}
        m.d.comb += registers.index[3].eq(SCALES["shift"])
        scale = {"multiplier": registers.value[1], "shift": registers.value[3]}
        placed = command.placed(m, bases, scale)
        m.d.comb += [self.matvec.cmd.eq(placed), self.vector.cmd.eq(placed)]

    def _arithmetic(self, m: Module, command: Command) -> tuple[Value, Signal]:
        """What a command computes; returns its external address, now and a cycle later."""
        left, right, taken, is_ = command.left, command.right, command.taken, command.is_
        immediate = fields(command.cmd, "ADD").imm
        offset, address = Signal(signed(32)), Signal(32)
        external = (left + fields(command.cmd, "LOAD").ext)[: len(address)]
        m.d.sync += [offset.eq(right + immediate), address.eq(external)]
        m.submodules.arithmetic = arithmetic = Arithmetic()
        m.d.comb += [
            arithmetic.left.eq(left),
            arithmetic.right.eq(offset),
            arithmetic.first.eq(command.first),
            *(getattr(arithmetic, f"is_{name.lower()}").eq(is_[name]) for name in RESULTS),
            taken.eq(
                (is_["BEQ"] & arithmetic.same)
                | (is_["BNE"] & ~arithmetic.same)
                | (is_["BLT"] & arithmetic.less)
                | (is_["BGE"] & ~arithmetic.less)
            ),
        ]
        numbers = self._numbers(m, command, address)
        m.d.comb += self.register.value.eq(
            arithmetic.value
            | numbers.value
            | Mux(is_["LOAD_REG"], self.transfers.result, 0)
            | Mux(is_["VARGMAX"], self.vector_result, 0)
        )
        return external, address

    def _numbers(self, m: Module, command: Command, address: Signal) -> SramNumbers:
        """The unit that moves a command's number in SRAM."""
        m.submodules.numbers = numbers = SramNumbers(self._params)
        wiring.connect(m, numbers.sram, wiring.flipped(self.sram))
        wiring.connect(m, numbers.sram_write, wiring.flipped(self.sram_write))
        command.move_number(m, numbers, address)
        return numbers

    def _offer(self, m: Module, command: Command, address: Signal) -> None:
        """Drive the transfer's payload."""
        is_ = command.is_
        load = fields(command.cmd, "LOAD")
        kinds = Signal(3)
        for index, name in enumerate(KINDS):
            with m.If(is_[name]):
                m.d.comb += kinds.eq(index)
        one_word = is_["LOAD_REG"] | is_["STORE_REG"]
        m.d.comb += [
            self.transfers.kind.eq(kinds),
            self.transfers.address.eq(address),
            self.transfers.local.eq(load.sram),
            self.transfers.beats.eq(Mux(one_word, 1, load.beats)),
            self.transfers.tag.eq(fields(command.cmd, "LOAD_BANK").tag),
            self.transfers.word.eq(Mux(is_["STORE_REG"], command.right, self.pc)),
        ]

    def _refuse(self, m: Module, command: Command, check: CommandCheck, external: Value) -> None:
        """Whether the command is refused, and with which status."""
        transfer_status = self._transfer_status(m, command, external)
        refusal = Signal(STATUS_BITS)
        m.d.sync += [command.status.eq(refusal), command.refused.eq(refusal != Status.OK)]
        with m.If(check.illegal | command.outside):
            m.d.comb += refusal.eq(Status.ILLEGAL_COMMAND)
        with m.Elif(command.nowhere):
            m.d.comb += refusal.eq(Status.ADDRESS)
        with m.Elif(command.is_transfer):
            m.d.comb += refusal.eq(transfer_status)
        if self._options.parity:
            # The port shows the command until it is in its first cycle, two cycles behind.
            with m.If(self.command_wrong & (command.checked | command.first) & ~command.outside):
                m.d.comb += refusal.eq(Status.PARITY)

    def _transfer_status(self, m: Module, command: Command, external: Value) -> Signal:
        """The status with which a transfer is refused, or OK, in the cycle behind `decode`."""
        p = self._params
        is_ = command.is_
        bus_bits = exact_log2(p.bus_bytes)
        one_word = is_["LOAD_REG"] | is_["STORE_REG"]
        misaligned = Mux(one_word, external[:2].any(), external[:bus_bits].any())
        empty, odd, end = command.empty, command.odd, command.end
        size = Mux(is_["LOAD_PARAM"], p.param_bytes, p.sram_bytes)
        in_bytes = is_["LOAD_PARAM"] | is_["LOAD"] | is_["STORE"]
        local = in_bytes & (odd | (end > size))
        status = Signal(STATUS_BITS)
        with m.If(misaligned):
            m.d.comb += status.eq(Status.BUS)
        with m.Elif(~one_word & (empty | local)):
            m.d.comb += status.eq(Status.ADDRESS)
        return status

    def _run(
        self, m: Module, command: Command, registers: ScalarRegisters, check: CommandCheck
    ) -> None:
        """One command after the other, until the program ends."""
        late = self.transfers.error != Status.OK
        culprit = self.transfers.error_pc
        if self._options.parity:
            with m.If(command.first):
                m.d.sync += self._begun.eq(self.pc)
        fetch, wanted = Signal(), Signal(PC_BITS)
        m.d.comb += [
            self.host.running.eq(1),
            command.following.eq(self.pc + 1),
            # What follows is fetched before the command runs; a port keeps what it has read.
            wanted.eq(Mux(fetch, self.pc, command.following)),
            self.program.addr.eq(wanted),
            self.program.en.eq(fetch | command.checked),
        ]
        with m.If(self.program.en):
            m.d.sync += command.beyond.eq(wanted >= self.commands)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.host.running.eq(0)
                with m.If(self.host.start & (self.host.error == Status.OK)):
                    m.d.sync += self.pc.eq(self.host.pc)
                    m.next = "FETCH"
            with m.State("FETCH"), self._unless_wrong(m):
                m.d.comb += [fetch.eq(1), self.fetching.eq(1)]
                m.next = "KEEP"
            with m.State("KEEP"), self._unless_wrong(m):
                m.d.comb += self.fetching.eq(1)
                self._keep(m, command)
            with m.State("READ"), self._unless_wrong(m):
                m.d.comb += [self.fetching.eq(1), check.en.eq(1)]
                m.d.sync += [
                    *command.decode,
                    command.left.eq(registers.value[0]),
                    command.right.eq(registers.value[1]),
                ]
                m.next = "CHECK"
                with m.If(late):
                    self._stop(m, self.transfers.error, culprit)
            with m.State("CHECK"), self._unless_wrong(m):
                m.d.comb += [self.fetching.eq(1), command.checked.eq(1)]
                m.d.sync += command.first.eq(1)
                m.next = "EXECUTE"
            with m.State("EXECUTE"), self._unless_wrong(m):
                self._execute(m, command, late)
            with m.State("SECOND"), self._unless_wrong(m):
                m.next = "LAST"
            with m.State("LAST"), self._unless_wrong(m):
                self._finish(m, command, writes=True)
            with m.State("TRANSFER"), self._unless_wrong(m):
                m.d.comb += self.transfer_busy.eq(1)
                with m.If(late):
                    self._stop(m, self.transfers.error, Mux(self.transfers.done, self.pc, culprit))
                with m.Elif(self.transfers.done):
                    self._finish(m, command, writes=True)
            with m.State("REFUSED"), self._unless_wrong(m):
                self._stop(m, command.status, self.pc)

    def _execute(self, m: Module, command: Command, late: Value) -> None:
        """The state of a command from S on; some leave it for a state of their own."""
        first, refused, is_ = command.first, command.refused, command.is_
        is_transfer, tagged = command.is_transfer, command.tagged
        culprit = self.transfers.error_pc
        open_tags = (self.transfers.open_tags & fields(command.cmd, "WAIT").tags).any()
        units = (
            (self.matvec, command.is_matvec, self.matvec_busy),
            (self.vector, command.is_vector, self.vector_busy),
        )
        m.d.comb += self.start.eq(first)
        m.d.sync += first.eq(0)
        # What starts others is not in the chain below: the opcodes exclude each other.
        for port, mine, _ in units:
            m.d.comb += port.start.eq(first & mine & ~refused)
        m.d.comb += self.transfers.valid.eq(is_transfer & ~refused)
        with m.If(refused):
            m.next = "REFUSED"
        with m.Elif(is_["HALT"]):
            self._finish(m, command)
            m.next = "IDLE"
        with m.Elif(command.takes_two):
            m.next = "LAST"
        with m.Elif(command.takes_three):
            m.next = "SECOND"
            with m.If(command.nowhere):
                m.next = "REFUSED"
        with m.Elif(is_["STORES"]):
            with m.If(command.nowhere):
                m.next = "REFUSED"
            with m.Else():
                m.d.comb += self.retire.eq(1)
                m.d.sync += self.pc.eq(command.following)
                self._keep(m, command)
        with m.Elif(is_["WAIT"]):
            m.d.comb += self.waiting.eq(open_tags)
            with m.If(late):
                self._stop(m, self.transfers.error, culprit)
            with m.Elif(~open_tags):
                self._finish(m, command)
        with m.Elif(is_transfer):
            m.d.comb += [
                self.waiting.eq(~self.transfers.ready),
                self.transfer_busy.eq(self.transfers.ready & ~tagged),
            ]
            with m.If(late):
                self._stop(m, self.transfers.error, culprit)
            with m.Elif(self.transfers.ready):
                m.next = "TRANSFER"
                with m.If(tagged):
                    self._finish(m, command)
        for port, mine, busy in units:
            with m.Elif(mine):
                m.d.comb += busy.eq(1)
                with m.If(port.done):
                    self._finish(m, command)
                    with m.If(port.error != Status.OK):
                        m.d.comb += self.retire.eq(0)
                        self._stop(m, port.error, self.pc)
                if port is self.vector:
                    m.d.comb += command.writes.eq(self.vector_found)
        with m.Else():
            self._finish(m, command, writes=True)

    def _finish(self, m: Module, command: Command, writes: bool = False) -> None:
        """The command's last cycle, E; `writes` where it may be of one that writes a register."""
        m.d.comb += [self.retire.eq(1), command.writes.eq(writes)]
        target = fields(command.cmd, "BEQ").target
        m.d.sync += self.pc.eq(Mux(command.taken, target, command.following))
        self._keep(m, command)
        with m.If(command.taken):
            m.next = "FETCH"

    def _keep(self, m: Module, command: Command) -> None:
        """Take the command that was fetched."""
        m.d.sync += [command.cmd.eq(self.program.data), command.outside.eq(command.beyond)]
        m.next = "READ"
