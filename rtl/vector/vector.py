"""Vector unit: element-wise commands on vector SRAM, `vector_elements` elements per cycle."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from npu.chip import timing
from npu.chip.isa import OPCODES, OPERANDS, ElementType
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD
from rtl.shared.commands import fields, is_opcode, unit_opcodes
from rtl.shared.interfaces import param_read, sram_read, sram_write, unit
from rtl.vector.alu import Alu
from rtl.vector.argmax import ArgMax
from rtl.vector.flight import Flight
from rtl.vector.lookup import LUT_WORDS
from rtl.vector.vector_control import VectorControl
from rtl.vector.walker import Loop, LoopWalker, Rounds, Strides


def _is_wide(cmd, name: str, operand: str):
    """Whether an operand of opcode `name` is int16."""
    element = OPCODES[name].field(operand).element
    if isinstance(element, str):
        return getattr(fields(cmd, name), element)
    return int(element is ElementType.INT16)


class _Operand:
    """One operand of the command at hand: whether it is used, its type, and its walk.

    `used` and `wide` follow the command that is on `cmd` a cycle later.
    """

    def __init__(self, m: Module, cmd, operand: str, params: ChipParams, loop: Strides) -> None:
        self.used = Signal(name=f"{operand}_used")
        self.wide = Signal(name=f"{operand}_wide")
        used, wide = Signal(name=f"{operand}_used_now"), Signal(name=f"{operand}_wide_now")
        with m.Switch(cmd[:8]):
            for name in unit_opcodes("vector"):
                if OPCODES[name].has(operand):
                    with m.Case(OPCODES[name].code):
                        m.d.comb += [used.eq(1), wide.eq(_is_wide(cmd, name, operand))]
        m.d.sync += [self.used.eq(used), self.wide.eq(wide)]
        view = fields(cmd, "VMUL")
        looped, elements = view.looped, params.vector_elements
        group = Mux(self.wide, 2 * elements, elements)
        # An element has to be aligned, a group of them too.
        element_low, group_low = Mux(self.wide, 1, 0), group - 1
        self.walker = walker = LoopWalker(params)
        m.submodules[f"walk_{operand}"] = walker
        m.d.comb += [
            walker.start.eq(getattr(view, operand)),
            walker.strides.inner.eq(Mux(looped, loop.inner, group)),
            walker.strides.row.eq(loop.row),
            walker.strides.plane.eq(loop.plane),
            walker.unaligned.eq(Mux(looped, element_low, group_low)),
        ]

    @property
    def bad(self):
        """Whether the element at hand lies where none may."""
        return self.used & self.walker.bad


class VectorUnit(wiring.Component):
    """Executes the vector commands of `npu.chip.isa` in the cycles of `npu.chip.timing.vector`.

    A group of `vector_elements` elements is read, computed and written per cycle (per ADD_PASSES
    cycles for the sums, whose elements pass the requantiser three times); of a looped command one
    element, the first of a group. A group's address must be a multiple of its size. Nothing behind
    element n is written. No element may write what a later one reads.

    Status.ADDRESS ends a command: in cycle VECTOR_REFUSED where it has no elements, loops that
    nobody has set, or its table lies outside parameter memory; an address that is misaligned or
    outside SRAM when it is that element's turn, what is behind it not written.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    unit : In, see `rtl.shared.interfaces.unit`.
    a, b, write : ports of the vector SRAM, zero when idle.
    param : port of parameter memory, zero when idle.
    result, found : Out, VARGMAX: the index, and when it is valid: with a `unit.done` without an
        error, but known earlier in the cycle.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "unit": In(unit()),
                "a": In(sram_read(params)),
                "b": In(sram_read(params)),
                "write": In(sram_write(params)),
                "param": In(param_read(params)),
                "result": Out(32),
                "found": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        elements = self._params.vector_elements
        cmd = self.unit.cmd
        # Known from the command's second cycle on.
        add, dot, table, loops = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            add.eq(is_opcode(cmd, *timing.SUMS)),
            dot.eq(is_opcode(cmd, "VDOT")),
            table.eq(is_opcode(cmd, "TABLE")),
            loops.eq(is_opcode(cmd, "VLOOP")),
        ]
        # Cycles of an add modulo ADD_PASSES, one-hot: bit 0 in the cycle of a group's address.
        phase = Signal(timing.ADD_PASSES, init=1)
        m.submodules.control = decode = VectorControl()
        control = decode.control
        # The control's phase counts from SRAM's answer: the operands come a cycle behind that.
        m.d.comb += [decode.cmd.eq(cmd), decode.phase.eq(phase.rotate_right(1))]

        # --- places ------------------------------------------------------------------------------
        m.submodules.loop = loop = Loop()
        a, b, dst = (_Operand(m, cmd, name, self._params, getattr(loop, name)) for name in OPERANDS)
        view = fields(cmd, "VMUL")
        looped = view.looped
        m.submodules.rounds = rounds = Rounds(elements)
        m.submodules.argmax = argmax = ArgMax(elements)
        param = fields(cmd, "TABLE").param
        refused, bad_table = self._refused(m, table, loops, dot, loop.known)

        # --- groups ------------------------------------------------------------------------------
        begin, issue = Signal(), Signal()
        m.submodules.flight = flight = Flight()
        strobe, written, last = flight.strobe, flight.written, rounds.ends.all
        word = Signal(range(LUT_WORDS))
        first_word = param[exact_log2(PARAM_WORD) :][: len(self.param.addr)]
        table_write = Signal()
        m.d.comb += [
            flight.issue.eq(issue),
            flight.ends.eq(rounds.ends),
            flight.drop.eq(self.unit.done),
            flight.add.eq(add),
            flight.dot.eq(dot),
            flight.lookup.eq(control.lookup),
            self.param.en.eq(0),
            loop.cmd.eq(cmd),
            rounds.load.eq(begin),
            rounds.step.eq(issue),
            rounds.n.eq(view.n),
            *(target.eq(count) for target, count in zip(rounds.counts, loop.counts, strict=True)),
            rounds.looped.eq(looped),
            *(operand.walker.load.eq(begin) for operand in (a, b, dst)),
            *(operand.walker.step.eq(issue) for operand in (a, b)),
            *(operand.walker.ends.eq(rounds.ends) for operand in (a, b)),
            dst.walker.step.eq(strobe),
            dst.walker.ends.eq(written),
            argmax.clear.eq(begin),
        ]
        m.d.sync += phase.eq(phase.rotate_left(1))

        def refuse() -> None:
            m.d.comb += [self.unit.done.eq(1), self.unit.error.eq(Status.ADDRESS)]
            m.next = "IDLE"

        with m.FSM():
            with m.State("IDLE"), m.If(self.unit.start):
                m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += begin.eq(1)
                m.d.sync += [phase.eq(1), word.eq(0)]
                with m.If(table):
                    m.d.comb += [self.param.en.eq(1), self.param.addr.eq(first_word)]
                    m.next = "TABLE"
                with m.Elif(loops):
                    m.next = "LOOP"
                with m.Else():
                    m.next = "READ"
            with m.State("LOOP"):
                m.d.comb += [self.unit.done.eq(1), loop.keep.eq(~refused)]
                m.next = "IDLE"
                with m.If(refused):
                    refuse()
            with m.State("TABLE"):
                m.d.comb += table_write.eq(~bad_table)
                m.d.sync += word.eq(word + 1)
                with m.If(word == LUT_WORDS - 1):
                    m.d.comb += self.unit.done.eq(1)
                    m.next = "IDLE"
                with m.Else():
                    m.d.comb += [self.param.en.eq(1), self.param.addr.eq(first_word + word + 1)]
                with m.If(refused):
                    refuse()
            with m.State("READ"):
                m.d.comb += issue.eq(phase[0] | ~add)
                with m.If(issue & last):
                    m.next = "DRAIN"
                with m.If(refused | a.bad | b.bad | (strobe & dst.bad)):
                    refuse()
            with m.State("DRAIN"):
                m.d.comb += self.found.eq(strobe & written.all)
                with m.If(self.found):
                    m.d.comb += self.unit.done.eq(1)
                    m.next = "IDLE"
                with m.If(strobe & dst.bad):
                    refuse()

        self._compute(m, (a, b, dst), decode, argmax, flight, word, table_write)
        return m

    def _refused(self, m: Module, table, loops, dot, known) -> tuple[Signal, Signal]:
        """What needs no address to be refused, a table's apart, and the latter; from the third
        cycle of a command on."""
        cmd, p = self.unit.cmd, self._params
        param, loop = fields(cmd, "TABLE").param, fields(cmd, "VLOOP")
        n, looped = fields(cmd, "VMUL").n, fields(cmd, "VMUL").looped
        refused, bad_table, no_rounds, bad = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            bad_table.eq(
                param[: exact_log2(PARAM_WORD)].any() | (param > p.param_bytes - LUT_BYTES)
            ),
            no_rounds.eq((loop.count_1 == 0) | (loop.count_2 == 0)),
            bad.eq((n == 0) | Mux(looped, ~known, dot)),
        ]
        m.d.comb += refused.eq(Mux(table, bad_table, Mux(loops, no_rounds, bad)))
        return refused, bad_table

    def _compute(self, m: Module, operands, decode, argmax, flight, word, table_write) -> None:
        """Read groups, compute, write: each of `operands` is a, b, dst."""
        a, b, dst = operands
        looped = fields(self.unit.cmd, "VMUL").looped
        elements = self._params.vector_elements
        tail = fields(self.unit.cmd, "VMUL").n[: exact_log2(elements)]
        in_tail, whole = Signal(elements), tail == 0
        m.d.sync += in_tail.eq(Cat(*(whole | (tail > i) for i in range(elements - 1)), whole))
        every = Const(-1, elements)
        m.d.comb += [
            argmax.valid.eq(flight.operands),
            argmax.single.eq(looped),
            argmax.present.eq(Mux(looped, 1, Mux(flight.operands_end, in_tail, every))),
            self.result.eq(argmax.result),
        ]
        alus = self._alus(m, (a, b), flight.issue)
        for i, alu in enumerate(alus):
            m.d.comb += [
                alu.control.eq(decode.control),
                alu.first.eq(flight.first),
                alu.table.en.eq(table_write),
                alu.table.addr.eq(word),
                alu.table.data.eq(self.param.data),
                argmax.values[i].eq(alu.operand[:8]),
            ]
        enabled = Mux(flight.written.all, in_tail, every)
        with m.If(flight.strobe & dst.used & ~dst.walker.bad):
            self._write(m, dst, looped, enabled, [alu.result for alu in alus])

    def _alus(self, m: Module, operands: tuple[_Operand, _Operand], issue) -> list[Alu]:
        """Ask SRAM for groups; the arithmetic of each element, behind the element of its word.

        Only the first element may lie anywhere in a word, the others follow it in its group.
        """
        elements, bus = self._params.vector_elements, self._params.bus_bytes
        bits, group_bits = exact_log2(bus), exact_log2(elements)
        alus = [Alu(sums=i == 0) for i in range(elements)]
        for i, alu in enumerate(alus):
            m.submodules[f"alu{i}"] = alu
        for operand, port, name in zip(operands, (self.a, self.b), "ab", strict=True):
            low = Signal(bits, name=f"{name}_low")
            at = operand.walker.at
            # A read port's `en` is 1 where nothing drives it.
            m.d.comb += port.en.eq(issue & operand.used)
            # The port is shared: what others read shall move nothing here.
            asked = Signal(name=f"{name}_asked")
            m.d.sync += asked.eq(port.en)
            with m.If(port.en):
                m.d.comb += port.addr.eq(at[bits:])
                m.d.sync += low.eq(at)
            for i, alu in enumerate(alus):
                if i == 0:
                    lower = port.data.word_select(low, 8)
                    upper = _bytes(port.data)[1::2]
                    byte, wide = lower, Cat(lower, _choose(upper, low[1:]))
                else:
                    byte = _choose(_bytes(port.data)[i::elements], low[group_bits:])
                    words = [port.data.word_select(at, 16) for at in range(bus // 2)]
                    wide = _choose(words[i::elements], low[group_bits + 1 :])
                # SRAM is slow itself: a register between it and the arithmetic.
                value = Mux(operand.wide, wide.as_signed(), byte.as_signed())
                with m.If(asked):
                    m.d.sync += getattr(alu, name).eq(value)
        return alus

    def _write(self, m: Module, dst: _Operand, looped, enabled, results: list) -> None:
        """Write a group, those elements of it that are enabled; or the first element alone."""
        elements, bus = self._params.vector_elements, self._params.bus_bytes
        bits, group_bits = exact_log2(bus), exact_log2(elements)
        low, wide = dst.walker.at[:bits], dst.wide
        first = results[0]
        results = [first, *(Mux(looped, first, result) for result in results[1:])]
        enables = []
        for byte in range(bus):
            enable = (low[1:] == byte // 2) & (wide | (low[0] == byte % 2))
            if elements > 1:
                in_group = Mux(
                    wide,
                    (low[group_bits + 1 :] == byte // (2 * elements))
                    & enabled[byte // 2 % elements],
                    (low[group_bits:] == byte // elements) & enabled[byte % elements],
                )
                enable = Mux(looped, enable, in_group)
            enables.append(enable)
        bytes_only = Cat(result[:8] for result in results).replicate(bus // elements)
        m.d.comb += [
            self.write.addr.eq(dst.walker.at[bits:]),
            self.write.en.eq(Cat(enables)),
            self.write.data.eq(
                Mux(wide, Cat(results).replicate(bus // (2 * elements)), bytes_only)
            ),
        ]


def _bytes(word) -> list:
    return [word.word_select(at, 8) for at in range(len(word) // 8)]


def _choose(values: list, index):
    """One of a power of two of equally wide values."""
    return Cat(values).word_select(index, len(values[0])) if len(values) > 1 else values[0]
