"""From a row's sum to its element in vector SRAM."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip import timing
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
# Address, record, bias, then the arithmetic, clamp and write.
RECORD, BIAS, SCALE = 1, 2, 3


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

    Rows belong to positions with even and odd numbers, two of them at a time; each kind has a
    destination of its own.

    `error` rises for a record outside parameter memory, a scale that is not there or out of range,
    an element outside SRAM (such a row writes nothing), `too_many` for more than MAX_TILE_ROWS
    rows of even positions since one began.

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
    row, row_parity : In, `row_sum`, and whether its position's number is odd.
    param : read port of parameter memory; its address is 0 while not used.
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
                "row": In(row_sum()),
                "row_parity": In(1),
                "param": In(interfaces.param_pair(params)),
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
        index = Signal(8)
        own = Signal(MULTIPLIER_BITS + SHIFT_BITS)
        record_wrong, parity = Signal(), Signal()
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
            base.eq(Mux(parity, self.destinations[1], self.destinations[0])),
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
        m.d.sync += [
            x.eq(sum_2 + bias),
            scale.eq(Mux(per_row, own, read.data)),
            target.eq(base + Mux(self.wide, destination << 1, destination)),
            wrong.eq(record_wrong | (~per_row & (index >= self.n_scales))),
        ]
        outside = Mux(self.wide, target > p.sram_bytes - 2, target > p.sram_bytes - 1)
        shift = scale[MULTIPLIER_BITS:].as_signed()
        scale_wrong = scale[MULTIPLIER_BITS - 1] | (shift < MIN_SHIFT) | (shift > MAX_SHIFT)
        good = Signal()
        rows = Signal(range(MAX_TILE_ROWS + 1))
        counted = self.row.valid & ~self.row_parity
        with m.If(self.clear | self.even_begins):
            m.d.sync += rows.eq(0)
        with m.Elif(counted):
            m.d.sync += rows.eq(rows + 1)
        m.d.comb += [
            good.eq(stages[SCALE] & ~wrong & ~outside & ~scale_wrong),
            self.error.eq(stages[SCALE] & ~good),
            self.too_many.eq(counted & (rows == MAX_TILE_ROWS)),
        ]

        self._scale(m, rescale, x, scale)
        targets = self._delay(m, "target", target, last - SCALE)
        writes = self._delay(m, "good", good, last - SCALE)
        self._write(m, rescale.y, targets[-1], writes[-1] & stages[last] & ~self.clear)
        return m

    def _delay(self, m: Module, name: str, value, cycles: int) -> list:
        stages = [value]
        for i in range(cycles):
            stage = Signal(value.shape(), name=f"{name}_after_{i + 1}")
            m.d.sync += stage.eq(stages[-1])
            stages.append(stage)
        return stages

    def _scale(self, m: Module, rescale: Rescale, x, scale) -> None:
        """The multiplier and the shift, each to the stage that takes it."""
        left, right = split_shift(scale[MULTIPLIER_BITS:].as_signed())
        multipliers = self._delay(
            m, "multiplier", scale[:MULTIPLIER_BITS], rescale.cycle_of("products")
        )
        rights = self._delay(m, "right", right, rescale.cycle_of("right"))
        m.d.comb += [
            rescale.x.eq(x),
            rescale.left.eq(left),
            rescale.multiplier.eq(multipliers[-1]),
            rescale.right.eq(rights[-1]),
            rescale.zero.eq(self.zero),
        ]

    def _write(self, m: Module, y, target, good) -> None:
        """Clamp, then one or two bytes of an SRAM word."""
        n_bytes = self._params.bus_bytes
        clamped = Signal(signed(16))
        m.d.sync += clamped.eq(Mux(y < self.lo, self.lo, Mux(y > self.hi, self.hi, y)))
        place = target[: ceil_log2(n_bytes)]
        enables = Mux(self.wide, 0b11, 0b1) << place
        low, high = clamped[:8], Mux(self.wide, clamped[8:], clamped[:8])
        with m.If(good):
            m.d.comb += [
                self.sram.en.eq(enables),
                self.sram.addr.eq(target[len(place) :]),
                self.sram.data.eq(Cat([low, high] * (n_bytes // 2))),
            ]
