"""The chip's shared memories: vector SRAM, parameter memory and program memory."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import ChipParams
from npu.chip.weight_format import PARAM_WORD
from rtl.memory.ram import block_ram
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


def _merge(m: Module, port, users, *names: str) -> None:
    """Drive a memory's port with the OR of its users'; idle users are zero."""
    for name in names:
        values = [getattr(user, name) for user in users]
        m.d.comb += getattr(port, name).eq(reduce(or_, values))


def _answer(m: Module, users, data) -> None:
    for user in users:
        m.d.comb += user.data.eq(data)


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

    Members
    -------
    a, b : arrays of read ports.
    write : array of write ports.
    """

    def __init__(
        self, params: ChipParams, a_users: int = 1, b_users: int = 1, writers: int = 1
    ) -> None:
        self._params = params
        super().__init__(
            {
                "a": Out(sram_read(params)).array(_count("users", a_users)),
                "b": Out(sram_read(params)).array(_count("users", b_users)),
                "write": Out(sram_write(params)).array(_count("writers", writers)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        for name, users in (("copy_a", self.a), ("copy_b", self.b)):
            copy = block_ram(bus_bits(p), sram_words(p))
            m.submodules[name] = copy
            read, write = copy.read_port(), copy.write_port(granularity=8)
            _merge(m, read, users, "en", "addr")
            _answer(m, users, read.data)
            _merge(m, write, self.write, "en", "addr", "data")
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

    Members
    -------
    read, pair : arrays of read ports; the address counts words of PARAM_WORD bytes.
    write : the DMA's port; the address counts bus words.
    """

    def __init__(self, params: ChipParams, readers: int = 1, pairs: int = 1) -> None:
        self._params = params
        super().__init__(
            {
                "read": Out(param_read(params)).array(_count("readers", readers)),
                "pair": Out(param_pair(params)).array(_count("readers of pairs", pairs)),
                "write": Out(param_write(params)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        written = p.bus_bytes // PARAM_WORD
        columns = max(2, written)
        select_bits, write_bits = exact_log2(columns), exact_log2(columns // written)
        port = param_read(p).flip().create()
        _merge(m, port, [*self.read, *self.pair], "en", "addr")
        row, place = port.addr[select_bits:], port.addr[:select_bits]
        outputs = []
        for column in range(columns):
            bank = block_ram(8 * PARAM_WORD, -(-param_words(p) // columns))
            m.submodules[f"column{column}"] = bank
            read, write = bank.read_port(), bank.write_port()
            mine = self.write.addr[:write_bits] == column if write_bits else 1
            data = self.write.data.word_select(column % written, 8 * PARAM_WORD)
            m.d.comb += [
                read.en.eq(port.en),
                # The word behind the last column's is in the next row.
                read.addr.eq(row + place.all() if column == 0 else row),
                write.en.eq(self.write.en & mine),
                write.addr.eq(self.write.addr[write_bits:]),
                write.data.eq(data),
            ]
            outputs.append(read.data)
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

    Members
    -------
    read : the sequencer's port; the address counts commands.
    write : the DMA's port; the address counts bus words.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__({"read": Out(program_read(params)), "write": Out(program_write(params))})

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        # As wide as the narrower of the two ports: some banks to a command, or some to a bus word.
        width = min(p.bus_bytes, COMMAND_BYTES)
        per_command, per_word = COMMAND_BYTES // width, p.bus_bytes // width
        column_bits, bank_bits = exact_log2(per_command), exact_log2(per_word)
        rows = p.program_bytes // (width * per_command * per_word)
        banks = []
        for bank in range(per_word):
            columns = []
            for column in range(per_command):
                part = block_ram(8 * width, rows)
                m.submodules[f"part{bank * per_command + column}"] = part
                read, write = part.read_port(), part.write_port()
                m.d.comb += [
                    read.en.eq(self.read.en),
                    read.addr.eq(self.read.addr[bank_bits:]),
                    write.en.eq(self.write.en & (self.write.addr[:column_bits] == column)),
                    write.addr.eq(self.write.addr[column_bits:]),
                    write.data.eq(self.write.data.word_select(bank, 8 * width)),
                ]
                columns.append(read.data)
            banks.append(Cat(columns))
        selected = Signal(bank_bits)
        with m.If(self.read.en):
            m.d.sync += selected.eq(self.read.addr)
        m.d.comb += self.read.data.eq(Array(banks)[selected])
        return m
