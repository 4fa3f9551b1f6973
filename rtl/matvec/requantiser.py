"""From a row's sum to its element in vector SRAM."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip import timing
from npu.chip.opcode import SUM_BYTES
from npu.chip.params import ChipParams
from npu.chip.weight_format import MAX_SCALES, MAX_TILE_ROWS, PARAM_WORD, ROW_DTYPE, SCALE_DTYPE
from npu.model.numerics import MAX_SHIFT, MIN_SHIFT
from rtl.lane.lane import SUM_BITS, row_sum
from rtl.matvec.collector import PICK_LATENCY
from rtl.shared import interfaces
from rtl.shared.layouts import layout
from rtl.shared.rescale import Rescale, split_shift

MULTIPLIER_BITS = 8 * SCALE_DTYPE["multiplier"].itemsize
SHIFT_BITS = 8 * SCALE_DTYPE["shift"].itemsize
# Address, record, bias, the sum of earlier commands, then the arithmetic, clamp and write.
RECORD, BIAS, SUM, SCALE = 1, 2, 3, 4
SUM_PLACE = ceil_log2(SUM_BYTES)
ONE = 1 << (MULTIPLIER_BITS - 1)
"""The multiplier that leaves a sum as it is."""


def scale_write() -> wiring.Signature:
    """A shared scale as it lies in parameter memory, seen from the loader."""
    return wiring.Signature(
        {"en": Out(1), "index": Out(range(MAX_SCALES)), "data": Out(8 * PARAM_WORD)}
    )


class Requantiser(wiring.Component):
    """`npu.model.numerics.requantize` of one row per cycle.

    The row's record lies at word `rows` + its index; with `n_scales` 0 at twice the index, and its
    scale behind it. The element is written timing.REQUANTISE - PICK_LATENCY cycles after the row
    came, so timing.REQUANTISE after the collector picked it. Multipliers are 0..2^31 - 1, shifts
    MIN_SHIFT to MAX_SHIFT.

    The int32 sum of a row belongs at `sums` + 4 * (its element's address), modulo
    2^ChipParams.address_bits: with `add` it is read from there and added, with `raw` the sum is
    written there instead of an element.

    Rows belong to positions with even and odd numbers, two of them at a time; each kind has a
    destination of its own.

    `error` rises for a record outside parameter memory, a scale that is not there or out of range,
    an element or a sum outside SRAM (such a row writes nothing), `too_many` for more than
    MAX_TILE_ROWS rows of even positions since one began.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    clear : In, drop everything.
    scales : In, `scale_write`.
    n_scales : In, shared scales; 0 for one per row.
    rows : In, word address of the records.
    even_begins : In, a position with an even number begins: no row of the one before is left, but
        for those of this cycle and the one before.
    destinations : In, byte addresses of the destinations of even and odd positions.
    wide : In, elements are int16, not int8.
    zero, lo, hi : In, zero point and limits of the result.
    raw, add, sums : In, see above; `sums` is a multiple of 4.
    row, row_parity : In, `row_sum`, and whether its position's number is odd.
    param : read port of parameter memory; its address is 0 while not used.
    sram_read : read port of the vector SRAM; all 0 while not used.
    sram : write port of the vector SRAM; all 0 while not used.
    busy : Out, a row is on its way.
    error, too_many : Out.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        self._address_bits = ceil_log2(interfaces.param_words(params))
        super().__init__(
            {
                "clear": In(1),
                "scales": In(scale_write()),
                "n_scales": In(range(MAX_SCALES + 1)),
                "rows": In(24),
                "even_begins": In(1),
                "destinations": In(params.address_bits).array(2),
                "wide": In(1),
                "zero": In(signed(9)),
                "lo": In(signed(16)),
                "hi": In(signed(16)),
                "raw": In(1),
                "add": In(1),
                "sums": In(params.address_bits),
                "row": In(row_sum()),
                "row_parity": In(1),
                "param": In(interfaces.param_pair(params)),
                "sram_read": In(interfaces.sram_read(params)),
                "sram": In(interfaces.sram_write(params)),
                "busy": Out(1),
                "error": Out(1),
                "too_many": Out(1),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        m.submodules.rescale = rescale = Rescale()
        last = timing.REQUANTISE - PICK_LATENCY
        assert last == SCALE + rescale.latency + 1

        stages = [self.row.valid]
        for i in range(1, last + 1):
            stage = Signal(name=f"valid_{i}")
            m.d.sync += stage.eq(stages[-1] & ~self.clear)
            stages.append(stage)
        m.d.comb += self.busy.eq(Cat(stages).any())

        # The address of the record, and of its scale behind it.
        # Known long before the first row.
        per_row = Signal()
        m.d.sync += per_row.eq(self.n_scales == 0)
        address = Signal(range(max(1 << 24, 1 << 14) + (1 << 14)))
        end = Signal.like(address)
        m.d.comb += address.eq(self.rows + Mux(per_row, self.row.record << 1, self.row.record))
        m.d.sync += end.eq(address + 1)
        m.d.comb += self.param.en.eq(0)  # a read port's enable is 1 where nothing drives it
        with m.If(self.row.valid):
            m.d.comb += [self.param.en.eq(1), self.param.addr.eq(address)]
        record = data.View(layout(ROW_DTYPE), self.param.data[: 8 * PARAM_WORD])
        sum_1, sum_2 = Signal(signed(SUM_BITS)), Signal(signed(SUM_BITS))
        bias = Signal(signed(32))
        destination, base = Signal(16), Signal(p.address_bits)
        sums_base = Signal(p.address_bits - SUM_PLACE)
        index = Signal(8)
        own = Signal(MULTIPLIER_BITS + SHIFT_BITS)
        record_wrong, parity = Signal(), Signal()
        position = Mux(parity, self.destinations[1], self.destinations[0])
        m.d.sync += [
            sum_1.eq(self.row.sum),
            sum_2.eq(sum_1),
            bias.eq(record.bias),
            destination.eq(record.destination),
            index.eq(record.scale),
            own.eq(self.param.data[8 * PARAM_WORD :]),
            record_wrong.eq(end + per_row > interfaces.param_words(p)),
            # Early: the position after the next may begin soon behind the last row.
            parity.eq(self.row_parity),
            base.eq(position),
            sums_base.eq(self.sums[SUM_PLACE:] + position),
        ]

        # The sum with its bias, the scale, and where the element goes.
        m.submodules.scales = scales = Memory(
            shape=MULTIPLIER_BITS + SHIFT_BITS, depth=MAX_SCALES, init=[]
        )
        write, read = scales.write_port(), scales.read_port(domain="comb")
        x = Signal(signed(32))
        scale = Signal(MULTIPLIER_BITS + SHIFT_BITS)
        target = Signal(range((1 << p.address_bits) + (1 << 17)))
        m.d.comb += [
            write.en.eq(self.scales.en),
            write.addr.eq(self.scales.index),
            write.data.eq(self.scales.data),
            read.addr.eq(index),
        ]
        wrong = Signal()
        behind = Mux(self.wide, destination << 1, destination)
        sum_at = self._sum_at(m, sums_base + behind, stages[BIAS])
        m.d.sync += [
            x.eq(sum_2 + bias),
            scale.eq(Mux(per_row, own, read.data)),
            target.eq(base + behind),
            wrong.eq(record_wrong | (~per_row & (index >= self.n_scales))),
        ]
        outside = Mux(self.wide, target > p.sram_bytes - 2, target > p.sram_bytes - 1)
        shift = scale[MULTIPLIER_BITS:].as_signed()
        scale_wrong = scale[MULTIPLIER_BITS - 1] | (shift < MIN_SHIFT) | (shift > MAX_SHIFT)
        lost = (self.raw | self.add) & (sum_at >= p.sram_bytes // SUM_BYTES)
        good = Signal()
        rows = Signal(range(MAX_TILE_ROWS + 1))
        counted = self.row.valid & ~self.row_parity
        with m.If(self.clear | self.even_begins):
            m.d.sync += rows.eq(0)
        with m.Elif(counted):
            m.d.sync += rows.eq(rows + 1)
        m.d.comb += [
            good.eq(stages[SUM] & ~wrong & ~outside & ~lost & ~scale_wrong),
            self.error.eq(stages[SUM] & ~good),
            self.too_many.eq(counted & (rows == MAX_TILE_ROWS)),
        ]

        self._scale(m, rescale, self._added(m, x, sum_at, stages[SUM]), scale, stages[SUM])
        place = Mux(self.raw, sum_at << SUM_PLACE, target)
        targets = self._delay(m, "target", place, last - SUM)
        writes = self._delay(m, "good", good, last - SUM)
        self._write(m, rescale.y, targets[-1], writes[-1] & stages[last] & ~self.clear)
        return m

    def _delay(self, m: Module, name: str, value, cycles: int) -> list:
        stages = [value]
        for i in range(cycles):
            stage = Signal(value.shape(), name=f"{name}_after_{i + 1}")
            m.d.sync += stage.eq(stages[-1])
            stages.append(stage)
        return stages

    def _scale(self, m: Module, rescale: Rescale, x, scale, valid) -> None:
        """The multiplier and the shift, each to the stage that takes it, from SUM on.

        Without a row nothing moves: what is multiplied stands still (operand isolation).
        """
        own = Signal.like(scale)
        with m.If(valid):
            m.d.sync += own.eq(Mux(self.raw, ONE, scale))
        left, right = split_shift(own[MULTIPLIER_BITS:].as_signed())
        multipliers = self._delay(
            m, "multiplier", own[:MULTIPLIER_BITS], rescale.cycle_of("products")
        )
        rights = self._delay(m, "right", right, rescale.cycle_of("right"))
        m.d.comb += [
            rescale.x.eq(x),
            rescale.left.eq(left),
            rescale.multiplier.eq(multipliers[-1]),
            rescale.right.eq(rights[-1]),
            rescale.zero.eq(Mux(self.raw, 0, self.zero)),
        ]

    def _sum_at(self, m: Module, at, valid) -> Signal:
        """Reads the sum of the row whose record is known; its number in SRAM a cycle later."""
        number = Signal(self._params.address_bits - SUM_PLACE)
        word = at[: len(number)][ceil_log2(self._params.bus_words) :]
        m.d.comb += self.sram_read.en.eq(0)  # a read port's enable is 1 where nothing drives it
        with m.If(valid & self.add & ~self.clear):
            m.d.comb += [self.sram_read.en.eq(1), self.sram_read.addr.eq(word)]
        m.d.sync += number.eq(at)
        return number

    def _added(self, m: Module, x, sum_at: Signal, valid) -> Signal:
        """`x` with the sum that memory answers, a cycle later; it stands still without a row."""
        place = sum_at[: ceil_log2(self._params.bus_words)]
        earlier = self.sram_read.data.word_select(place, 8 * SUM_BYTES)
        total = Signal(signed(32))
        with m.If(valid):
            m.d.sync += total.eq(x + Mux(self.add, earlier, 0).as_signed())
        return total

    def _write(self, m: Module, y, target, good) -> None:
        """Clamp, then one, two or four bytes of an SRAM word."""
        n_bytes = self._params.bus_bytes
        clamped, upper, raw = Signal(16), Signal(16), self.raw
        low, high = (y < self.lo) & ~raw, (y > self.hi) & ~raw
        m.d.sync += [
            clamped.eq(Mux(low, self.lo, Mux(high, self.hi, y))),
            upper.eq(y[16:]),
        ]
        place = target[: ceil_log2(n_bytes)]
        enables = Mux(raw, 0b1111, Mux(self.wide, 0b11, 0b1)) << place
        # What a byte of an int32 is, of an int16, of an int8.
        first, second = clamped[:8], Mux(raw | self.wide, clamped[8:], clamped[:8])
        third, fourth = Mux(raw, upper[:8], first), Mux(raw, upper[8:], second)
        with m.If(good):
            m.d.comb += [
                self.sram.en.eq(enables),
                self.sram.addr.eq(target[len(place) :]),
                self.sram.data.eq(Cat([first, second, third, fourth] * (n_bytes // SUM_BYTES))),
            ]
