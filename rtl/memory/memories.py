"""The chip's shared memories: vector SRAM, parameter memory and program memory."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Member, Out
from amaranth.utils import exact_log2

from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import ChipParams
from npu.chip.weight_format import PARAM_WORD
from rtl.memory.parity import block_ram
from rtl.shared.interfaces import (
    bus_bits,
    param_pair,
    param_read,
    param_words,
    param_write,
    program_read,
    program_write,
    sram_read,
    sram_words,
    sram_write,
)
from rtl.shared.options import PLAIN, Options


def _merged(users, name: str) -> Value:
    """The OR of what users of a port drive; idle ones are zero."""
    return reduce(or_, [getattr(user, name) for user in users])


def _answer(m: Module, users, data) -> None:
    for user in users:
        m.d.comb += user.data.eq(data)


def _wrong(options: Options) -> dict[str, Member]:
    """The member `wrong` of a memory with parity."""
    return {"wrong": Out(1)} if options.parity else {}


def _tell(m: Module, memory, rams: list, options: Options) -> None:
    """`wrong` of a memory is that of any of its block RAMs."""
    if options.parity:
        m.d.comb += memory.wrong.eq(Cat(ram.wrong for ram in rams).any())


def _count(kind: str, number: int) -> int:
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"the number of {kind} must be at least 1, not {number!r}")
    return number


class VectorSram(wiring.Component):
    """Activations and states: two reads and one byte-enabled write per cycle.

    Two copies of the memory are written together, one for each read port. Data follows its address
    by one cycle and is held while no user of the port enables it; nobody reads the word that is
    being written (`rtl.memory.ram`). Users of a port are OR-ed: an idle one drives zeros.

    Parameters
    ----------
    params : ChipParams.
    a_users, b_users, writers : how many units share each port.
    options : Options.

    Members
    -------
    a, b : arrays of read ports.
    write : array of write ports.
    wrong : Out, only with parity, see `rtl.memory.parity.ParityRam`.
    """

    def __init__(
        self,
        params: ChipParams,
        a_users: int = 1,
        b_users: int = 1,
        writers: int = 1,
        options: Options = PLAIN,
    ) -> None:
        self._params, self._options = params, options
        super().__init__(
            {
                "a": Out(sram_read(params)).array(_count("users", a_users)),
                "b": Out(sram_read(params)).array(_count("users", b_users)),
                "write": Out(sram_write(params)).array(_count("writers", writers)),
                **_wrong(options),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        wrong = []
        for name, users in (("a", self.a), ("b", self.b)):
            copy = block_ram(
                "sram", bus_bits(p), sram_words(p), by_bytes=True, options=self._options
            )
            m.submodules[f"{copy.name}_{name}"] = copy
            m.d.comb += [
                copy.read_en.eq(_merged(users, "en")),
                copy.read_addr.eq(_merged(users, "addr")),
                *(
                    getattr(copy, f"write_{part}").eq(_merged(self.write, part))
                    for part in ("en", "addr", "data")
                ),
            ]
            _answer(m, users, copy.read_data)
            wrong.append(copy)
        _tell(m, self, wrong, self._options)
        return m


class ParamMemory(wiring.Component):
    """Code tables, scales, row records, look-up tables: read in 64-bit words, written in bus words.

    Data follows its address by one cycle and is held while no reader enables the port. Readers are
    OR-ed: an idle one drives zeros. Words lie in two columns at least, so that a reader of pairs
    has a word and the next one at once.

    Parameters
    ----------
    params : ChipParams.
    readers, pairs : how many units read words, and pairs of them.
    options : Options.

    Members
    -------
    read, pair : arrays of read ports; the address counts words of PARAM_WORD bytes.
    write : the DMA's port; the address counts bus words.
    wrong : Out, only with parity, see `rtl.memory.parity.ParityRam`.
    """

    def __init__(
        self, params: ChipParams, readers: int = 1, pairs: int = 1, options: Options = PLAIN
    ) -> None:
        self._params, self._options = params, options
        super().__init__(
            {
                "read": Out(param_read(params)).array(_count("readers", readers)),
                "pair": Out(param_pair(params)).array(_count("readers of pairs", pairs)),
                "write": Out(param_write(params)),
                **_wrong(options),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        written = p.bus_bytes // PARAM_WORD
        columns = max(2, written)
        select_bits, write_bits = exact_log2(columns), exact_log2(columns // written)
        port = param_read(p).flip().create()
        users = [*self.read, *self.pair]
        m.d.comb += [port.en.eq(_merged(users, "en")), port.addr.eq(_merged(users, "addr"))]
        row, place = port.addr[select_bits:], port.addr[:select_bits]
        outputs, rams = [], []
        for column in range(columns):
            ram = block_ram(
                "param", 8 * PARAM_WORD, -(-param_words(p) // columns), options=self._options
            )
            m.submodules[f"{ram.name}_{column}"] = ram
            mine = self.write.addr[:write_bits] == column if write_bits else 1
            data = self.write.data.word_select(column % written, 8 * PARAM_WORD)
            m.d.comb += [
                ram.read_en.eq(port.en),
                # The word behind the last column's is in the next row.
                ram.read_addr.eq(row + place.all() if column == 0 else row),
                ram.write_en.eq(self.write.en & mine),
                ram.write_addr.eq(self.write.addr[write_bits:]),
                ram.write_data.eq(data),
            ]
            outputs.append(ram.read_data)
            rams.append(ram)
        _tell(m, self, rams, self._options)
        selected = Signal(select_bits)
        with m.If(port.en):
            m.d.sync += selected.eq(port.addr)
        word = Array(outputs)[selected]
        _answer(m, self.read, word)
        _answer(m, self.pair, Cat(word, Array([*outputs[1:], outputs[0]])[selected]))
        return m


class ProgramMemory(wiring.Component):
    """The program: read a command at a time, written in bus words.

    Data follows its address by one cycle and is held while `read.en` is low.

    Parameters
    ----------
    params : ChipParams.
    options : Options.

    Members
    -------
    read : the sequencer's port; the address counts commands.
    write : the DMA's port; the address counts bus words.
    wrong : Out, only with parity, the command that was on `read` two cycles ago has a wrong bit.
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
        super().__init__(
            {
                "read": Out(program_read(params)),
                "write": Out(program_write(params)),
                **_wrong(options),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        # As wide as the narrower of the two ports: some banks to a command, or some to a bus word.
        width = min(p.bus_bytes, COMMAND_BYTES)
        per_command, per_word = COMMAND_BYTES // width, p.bus_bytes // width
        column_bits, bank_bits = exact_log2(per_command), exact_log2(per_word)
        rows = p.program_bytes // (width * per_command * per_word)
        banks, wrong = [], []
        for bank in range(per_word):
            parts = []
            for column in range(per_command):
                part = block_ram("program", 8 * width, rows, stays=True, options=self._options)
                m.submodules[f"{part.name}_{bank * per_command + column}"] = part
                m.d.comb += [
                    part.read_en.eq(self.read.en),
                    part.read_addr.eq(self.read.addr[bank_bits:]),
                    part.write_en.eq(self.write.en & (self.write.addr[:column_bits] == column)),
                    part.write_addr.eq(self.write.addr[column_bits:]),
                    part.write_data.eq(self.write.data.word_select(bank, 8 * width)),
                ]
                parts.append(part)
            banks.append(Cat(part.read_data for part in parts))
            if self._options.parity:
                wrong.append(Cat(part.wrong for part in parts).any())
        selected = Signal(bank_bits)
        with m.If(self.read.en):
            m.d.sync += selected.eq(self.read.addr)
        m.d.comb += self.read.data.eq(Array(banks)[selected])
        if self._options.parity:
            later, last = Signal.like(selected), Signal.like(selected)
            m.d.sync += [later.eq(selected), last.eq(later)]
            m.d.comb += self.wrong.eq(Array(wrong)[last])
        return m
