"""The faults that are seeded into the hardware, one at a time, and who must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`old`, which stands in `file` once, becomes `new`.

    Attributes
    ----------
    what : the fault in words.
    file : path below rtl/.
    tests : files below tests/rtl/ (without "test_" and ".py") that are run, in this order.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


FAULTS = (
    # --- decoding -------------------------------------------------------------------------------
    Fault(
        "Kraft sum: an incomplete code is accepted",
        "codetable.py",
        "with m.If(end != 1 << MAX_CODE_BITS):",
        "with m.If(end > 1 << MAX_CODE_BITS):",
        ("decoder", "matvec"),
    ),
    Fault(
        "offset of a code length off by one",
        "codetable.py",
        "self.code.offset.value.eq(index - first)",
        "self.code.offset.value.eq(index - first + 1)",
        ("decoder",),
    ),
    Fault(
        "off-by-one compare: a window at the limit gets the shorter code",
        "decoder.py",
        "            least = 1\n",
        "            least = 0\n",
        ("decoder",),
    ),
    Fault(
        "raw bits do not move the position",
        "decoder.py",
        "go_raw = Mux(self.go, self.code.raw_bits, 0)",
        "go_raw = 0",
        ("decoder",),
    ),
    Fault(
        "the window takes the next word one half too late",
        "decoder.py",
        "(word + second_half)[:RING_BITS]",
        "word",
        ("decoder",),
    ),
    Fault(
        "window refill: the ring's room is counted one too large",
        "fetch.py",
        "[:WORD_INDEX_BITS] != RING_WORDS",
        "[:WORD_INDEX_BITS] != RING_WORDS + 1",
        ("lane", "matvec"),
    ),
    Fault(
        "a stream that ends outside the bank is not noticed",
        "fetch.py",
        "((following == p.bank_words) & (start_offset != 0))",
        "0",
        ("lane", "matvec"),
    ),
    Fault(
        "priming stops a word early",
        "barrel.py",
        "(cycle < prime_to)",
        "(cycle < prime_to - 1)",
        ("lane", "matvec"),
    ),
    # --- lanes ----------------------------------------------------------------------------------
    Fault(
        "dropped stall: a lane decodes although its FIFO is full",
        "lane.py",
        "go = control.run & self.ready & active[RESOLVE % p.threads]",
        "go = control.run & active[RESOLVE % p.threads]",
        ("lane", "matvec"),
    ),
    Fault(
        "off-by-one compare: a row goes on into the column behind its last",
        "lane.py",
        "wraps.eq(remaining < 0)",
        "wraps.eq(remaining < -1)",
        ("lane", "matvec"),
    ),
    Fault(
        "wrong sign extension of a weight",
        "lane.py",
        "waiting, factor = Signal(signed(8)), Signal(signed(8))",
        "waiting, factor = Signal(signed(8)), Signal(8)",
        ("lane", "matvec"),
    ),
    Fault(
        "a row's sum is not cleared at its end",
        "lane.py",
        "Mux(begins, 0, sums[0]) + product",
        "sums[0] + product",
        ("lane", "matvec"),
    ),
    Fault(
        "activations without their zero point's sign",
        "activation_loader.py",
        "q - self.zero",
        "q + self.zero",
        ("matvec",),
    ),
    Fault(
        "wrong FIFO depth: ready for rows that have no place",
        "collector.py",
        "level <= depth - timing.LANE_PIPELINE",
        "level <= depth - timing.LANE_PIPELINE + 2",
        ("requantiser", "lane", "matvec"),
    ),
    Fault(
        "unfair: the first lane always comes first",
        "collector.py",
        "candidates.eq(Mux(first.any(), first, held))",
        "candidates.eq(held)",
        ("requantiser", "matvec"),
    ),
    Fault(
        "the terminator's weight is multiplied",
        "lane.py",
        "valid & ~finished, row_end",
        "valid, row_end",
        ("lane", "matvec"),
    ),
    Fault(
        "code sets: the second set's tables also go to the first lanes",
        "block_loader.py",
        "(lower_now | (kind_3 == own)) & groups[group]",
        "lower_now | (kind_3 == own)",
        ("matvec",),
    ),
    Fault(
        "code sets: the last set is not loaded",
        "block_loader.py",
        "last.eq(parsed_number == count - 1)",
        "last.eq(parsed_number >= count - 2)",
        ("matvec",),
    ),
    # --- requantiser ----------------------------------------------------------------------------
    Fault(
        "wrong rounding constant",
        "rescale.py",
        "half = 1 << (30 - HALF_BITS)",
        "half = 1 << (29 - HALF_BITS)",
        ("rescale",),
    ),
    Fault(
        "ties rounded upward, not away from zero",
        "rescale.py",
        "(self.half_up | ~product[-1] | sticky)",
        "1",
        ("rescale",),
    ),
    Fault(
        "swapped operand: a partial product of the wrong half",
        "rescale.py",
        "low * m_high",
        "high * m_high",
        ("rescale",),
    ),
    Fault(
        "wrong sign extension of the zero point",
        "rescale.py",
        "Cat(carry, self.zero).as_signed()",
        "Cat(carry, self.zero)",
        ("rescale",),
    ),
    Fault(
        "byte enable: int16 results write one byte",
        "requantiser.py",
        "Mux(self.wide, 0b11, 0b1)",
        "Mux(self.wide, 0b1, 0b1)",
        ("requantiser", "matvec"),
    ),
    Fault(
        "limits of the result swapped",
        "requantiser.py",
        "Mux(y < self.lo, self.lo, Mux(y > self.hi, self.hi, y))",
        "Mux(y < self.lo, self.hi, Mux(y > self.hi, self.lo, y))",
        ("requantiser", "matvec"),
    ),
    # --- vector unit ----------------------------------------------------------------------------
    Fault(
        "byte enables of the last group reach too far",
        "vector.py",
        "Cat((tail == 0) | (tail > i) for i in range(elements))",
        "Cat((tail == 0) | (tail >= i) for i in range(elements))",
        ("vector",),
    ),
    Fault(
        "argmax takes the last of equal maxima",
        "argmax.py",
        "larger = right > left",
        "larger = right >= left",
        ("vector",),
    ),
    Fault(
        "swapped operand of a subtraction's second pass",
        "alu.py",
        "Mux(control.swap, self.b, self.a)",
        "self.a",
        ("vector",),
    ),
    # --- DMA ------------------------------------------------------------------------------------
    Fault(
        "4 KiB rule forgotten",
        "bursts.py",
        "Mux(to_boundary < self._longest, to_boundary, self._longest)",
        "self._longest",
        ("dma",),
    ),
    Fault(
        "one read burst too many in flight",
        "dma.py",
        "(opened != p.dma_outstanding)",
        "(opened != p.dma_outstanding + 1)",
        ("dma",),
    ),
    Fault(
        "write burst without a last beat",
        "dma.py",
        "w.payload.last.eq(burst_left == 1)",
        "w.payload.last.eq(burst_left == 0)",
        ("dma",),
    ),
    Fault(
        "tag bit: a transfer is counted under its neighbour",
        "dma.py",
        "leaves = finish & tagged & (head.tag == tag)",
        "leaves = finish & tagged & (head.tag == tag ^ 1)",
        ("dma",),
    ),
    Fault(
        "byte strobes of a one-word store in the wrong place",
        "dma.py",
        "0xF << (which << 2)",
        "0xF << which",
        ("dma",),
    ),
    Fault(
        "a tile's bodies are one bus word longer",
        "tile.py",
        "with m.If(left == 1):",
        "with m.If(left == 0):",
        ("dma",),
    ),
    Fault(
        "a length is looked up a body too late",
        "tile.py",
        "looks.eq(lane + 2 <= last_lane)",
        "looks.eq(lane + 2 < last_lane)",
        ("dma",),
    ),
    Fault(
        "fields may run into the loose words",
        "tile.py",
        "crossed.eq(used > loose)",
        "crossed.eq(0)",
        ("tile_dealer",),
    ),
    # --- control --------------------------------------------------------------------------------
    Fault(
        "a response is dropped when it is not taken at once",
        "axilite.py",
        "with m.If(bus.b.ready):",
        "with m.If(1):",
        ("control",),
    ),
    Fault(
        "a reset does not wait for the bus",
        "control.py",
        "self.reset.eq(resetting & ~self.active & ~self.reset)",
        "self.reset.eq(resetting)",
        ("control",),
    ),
    Fault(
        "off-by-one compare: BLT takes equal",
        "sequencer.py",
        "taken.eq(left < offset)",
        "taken.eq(left <= offset)",
        ("sequencer",),
    ),
    Fault(
        "WAIT looks at all tags",
        "sequencer.py",
        '(self.transfers.open_tags & fields(cmd, "WAIT").tags).any()',
        "self.transfers.open_tags.any()",
        ("sequencer",),
    ),
    Fault(
        "r0 can be written",
        "scalars.py",
        "self.write & (self.write_index != 0)",
        "self.write",
        ("sequencer",),
    ),
)
