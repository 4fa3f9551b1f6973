"""Vector unit: element-wise commands on vector SRAM, `vector_elements` elements per cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from npu.chip import timing
from npu.chip.isa import OPCODES, OPERANDS, ElementType
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD
from rtl.shared.commands import fields, is_opcode, unit_opcodes
from rtl.shared.interfaces import param_read, sram_read, sram_words, sram_write, unit
from rtl.vector.alu import Alu
from rtl.vector.argmax import ArgMax
from rtl.vector.lookup import LUT_WORDS
from rtl.vector.vector_control import VectorControl

# Cycles from a group's address to its write: SRAM, operands, then the elements' pipeline.
OPERANDS_AFTER = 2
WRITE_AFTER = OPERANDS_AFTER + Alu.LATENCY
LOOKUP_AFTER = OPERANDS_AFTER + Alu.LOOKUP_LATENCY
SUM_AFTER = WRITE_AFTER + Alu.SUM_AFTER


def _is_wide(cmd, name: str, operand: str):
    """Whether an operand of opcode `name` is int16."""
    element = OPCODES[name].field(operand).element
    if isinstance(element, str):
        return getattr(fields(cmd, name), element)
    return int(element is ElementType.INT16)


class _Operand:
    """One operand of the command at hand: whether it is used, its type, place and legality.

    `bad`, `used` and `wide` follow the command that is on `cmd` a cycle later.
    """

    def __init__(self, m: Module, cmd, operand: str, params: ChipParams) -> None:
        elements_bits = exact_log2(params.vector_elements)
        view = fields(cmd, "VMUL")
        at = getattr(view, operand)
        self.used = Signal(name=f"{operand}_used")
        self.wide = Signal(name=f"{operand}_wide")
        self.bad = Signal(name=f"{operand}_bad")
        # Where the next group lies, in halves of an SRAM word.
        self.half = Signal(ceil_log2(sram_words(params)) + 1, name=f"{operand}_half")
        self.first = at[elements_bits:]
        used, wide = Signal(name=f"{operand}_used_now"), Signal(name=f"{operand}_wide_now")
        with m.Switch(cmd[:8]):
            for name in unit_opcodes("vector"):
                if OPCODES[name].has(operand):
                    with m.Case(OPCODES[name].code):
                        m.d.comb += [used.eq(1), wide.eq(_is_wide(cmd, name, operand))]
        m.d.sync += [self.used.eq(used), self.wide.eq(wide)]
        # Both types side by side, since the opcode is decoded meanwhile.
        wrong = []
        for what, bits, n_bytes in (
            ("bytes", elements_bits, view.n),
            ("words", elements_bits + 1, view.n << 1),
        ):
            end = Signal(len(at) + 1, name=f"{operand}_end_{what}")
            odd = Signal(name=f"{operand}_odd_{what}")
            m.d.sync += [end.eq(at + n_bytes), odd.eq(at[:bits].any())]
            wrong.append(odd | (end > params.sram_bytes))
        m.d.comb += self.bad.eq(self.used & Mux(self.wide, wrong[1], wrong[0]))

    @property
    def word(self):
        return self.half[1:]

    def step(self):
        """Move on by one group."""
        return self.half.eq(self.half + Mux(self.wide, 2, 1))


class VectorUnit(wiring.Component):
    """Executes the vector commands of `npu.chip.isa` in the cycles of `npu.chip.timing.vector`.

    A group of `vector_elements` elements is read, computed and written per cycle (per ADD_PASSES
    cycles for VADD, whose elements pass the requantiser three times). An int8 group is half an SRAM
    word, an int16 group a whole one. Nothing behind element n is written. A destination that
    overlaps a source must be that source exactly. A misaligned address, a vector outside SRAM, a
    table outside parameter memory, or n = 0 ends in cycle VECTOR_REFUSED with Status.ADDRESS,
    nothing written.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    unit : In, see `rtl.shared.interfaces.unit`.
    a, b, write : ports of the vector SRAM, zero when idle.
    param : port of parameter memory, zero when idle.
    result : Out, VARGMAX: the index, valid with `unit.done`.
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
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        elements = p.vector_elements
        cmd = self.unit.cmd
        # Known from the command's second cycle on.
        add, table = Signal(), Signal()
        m.d.sync += [add.eq(is_opcode(cmd, "VADD")), table.eq(is_opcode(cmd, "TABLE"))]
        # Cycles of an add modulo ADD_PASSES, one-hot: bit 0 in the cycle of a group's address.
        phase = Signal(timing.ADD_PASSES, init=1)
        m.submodules.control = decode = VectorControl()
        control = decode.control
        # The control's phase counts from SRAM's answer: the operands come a cycle behind that.
        m.d.comb += [decode.cmd.eq(cmd), decode.phase.eq(phase.rotate_right(1))]

        # --- places ------------------------------------------------------------------------------
        a, b, dst = (_Operand(m, cmd, name, p) for name in OPERANDS)
        n = fields(cmd, "VMUL").n
        param = fields(cmd, "TABLE").param
        # Known from the command's third cycle on.
        refused, bad_table, empty = Signal(), Signal(), Signal()
        m.d.sync += [
            bad_table.eq(
                param[: exact_log2(PARAM_WORD)].any() | (param > p.param_bytes - LUT_BYTES)
            ),
            empty.eq(n == 0),
            refused.eq(Mux(table, bad_table, empty | a.bad | b.bad | dst.bad)),
        ]

        m.submodules.argmax = argmax = ArgMax(elements)

        # --- groups ------------------------------------------------------------------------------
        left = Signal(len(n))
        issue, last = Signal(), Signal()
        word = Signal(range(LUT_WORDS))
        first_word = param[exact_log2(PARAM_WORD) :][: len(self.param.addr)]
        table_write = Signal()
        written = Signal()
        m.d.comb += [last.eq(left <= elements), self.param.en.eq(0)]
        m.d.sync += phase.eq(phase.rotate_left(1))

        def refuse() -> None:
            m.d.comb += [self.unit.done.eq(1), self.unit.error.eq(Status.ADDRESS)]
            m.next = "IDLE"

        with m.FSM():
            with m.State("IDLE"), m.If(self.unit.start):
                m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += argmax.clear.eq(1)
                m.d.sync += [
                    left.eq(n),
                    phase.eq(1),
                    word.eq(0),
                    *(operand.half.eq(operand.first) for operand in (a, b, dst)),
                ]
                with m.If(table):
                    m.d.comb += [self.param.en.eq(1), self.param.addr.eq(first_word)]
                    m.next = "TABLE"
                with m.Else():
                    m.next = "READ"
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
                with m.If(issue):
                    m.d.sync += [left.eq(left - elements), a.step(), b.step()]
                    with m.If(last):
                        m.next = "DRAIN"
                with m.If(refused):
                    refuse()
            with m.State("DRAIN"), m.If(written):
                m.d.comb += self.unit.done.eq(1)
                m.next = "IDLE"

        # --- read, compute, write ----------------------------------------------------------------
        # Bit k: a group was issued k cycles ago, and whether it was the last.
        issued, ended = Signal(SUM_AFTER), Signal(SUM_AFTER)
        m.d.comb += [issued[0].eq(issue), ended[0].eq(issue & last)]
        m.d.sync += [issued[1:].eq(issued), ended[1:].eq(ended)]
        with m.If(self.unit.done):
            m.d.sync += [issued[1:].eq(0), ended[1:].eq(0)]
        strobe, final = Signal(), Signal()
        for now, chain in ((strobe, issued), (final, ended)):
            after = Mux(add, chain[SUM_AFTER - 1], chain[WRITE_AFTER - 1])
            m.d.sync += now.eq(Mux(control.lookup, chain[LOOKUP_AFTER - 1], after))
        m.d.comb += written.eq(final)
        tail = n[: exact_log2(elements)]
        in_tail = Signal(elements)
        whole = tail == 0
        m.d.sync += in_tail.eq(Cat(*(whole | (tail > i) for i in range(elements - 1)), whole))

        upper = self._read(m, (a, b), issue)
        m.d.comb += [
            argmax.valid.eq(issued[OPERANDS_AFTER + 1]),
            argmax.present.eq(Mux(ended[OPERANDS_AFTER + 1], in_tail, -1)),
            self.result.eq(argmax.result),
        ]
        alus = self._alus(m, (a, b), upper)
        for i, alu in enumerate(alus):
            m.d.comb += [
                alu.control.eq(control),
                alu.table.en.eq(table_write),
                alu.table.addr.eq(word),
                alu.table.data.eq(self.param.data),
                argmax.values[i].eq(alu.operand[:8]),
            ]
        enabled = Mux(final, in_tail, -1)[:elements]
        self._write(m, dst, strobe, enabled, [alu.result for alu in alus])
        return m

    def _read(self, m: Module, operands: tuple[_Operand, _Operand], issue: Signal) -> list[Signal]:
        """Ask SRAM for a group; returns of each operand which half of its word is meant."""
        halves = []
        for operand, port, name in zip(operands, (self.a, self.b), "ab", strict=True):
            upper = Signal(name=f"{name}_upper")
            halves.append(upper)
            # A read port's `en` is 1 where nothing drives it.
            m.d.comb += port.en.eq(issue & operand.used)
            with m.If(port.en):
                m.d.comb += port.addr.eq(operand.word)
                m.d.sync += upper.eq(operand.half[0])
        return halves

    def _alus(
        self, m: Module, operands: tuple[_Operand, _Operand], upper: list[Signal]
    ) -> list[Alu]:
        """The arithmetic of each element of a group, behind the element of SRAM's word."""
        elements = self._params.vector_elements
        alus = []
        for i in range(elements):
            m.submodules[f"alu{i}"] = alu = Alu()
            alus.append(alu)
            ports = ((self.a, alu.a), (self.b, alu.b))
            for operand, is_upper, (port, target) in zip(operands, upper, ports, strict=True):
                wide = port.data.word_select(i, 16).as_signed()
                halves = (port.data.word_select(at, 8) for at in (i, i + elements))
                lower_byte, upper_byte = (byte.as_signed() for byte in halves)
                byte = Mux(is_upper, upper_byte, lower_byte)
                # SRAM is slow itself: a register between it and the arithmetic.
                m.d.sync += target.eq(Mux(operand.wide, wide, byte))
        return alus

    def _write(self, m: Module, dst: _Operand, strobe: Signal, enabled, results: list) -> None:
        """Write a group, those elements of it that are enabled."""
        elements = self._params.vector_elements
        bytes_only = Cat(result[:8] for result in results)
        with m.If(strobe & dst.used):
            m.d.sync += dst.step()
            m.d.comb += self.write.addr.eq(dst.word)
            with m.If(dst.wide):
                m.d.comb += [
                    self.write.en.eq(Cat(bit.replicate(2) for bit in enabled)),
                    self.write.data.eq(Cat(results)),
                ]
            with m.Else():
                m.d.comb += [
                    self.write.en.eq(Mux(dst.half[0], enabled << elements, enabled)),
                    self.write.data.eq(bytes_only.replicate(2)),
                ]
