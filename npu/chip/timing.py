"""Latencies of the chip in cycles: named constants of the unit they belong to.

The twin adds them up, the RTL's tests assert them. Nothing else in the project states a latency.
"""

from collections.abc import Sequence

from npu.chip.weight_format import BLOCK_HEADER_BYTES, PARAM_WORD, directory_words, padded_entries

# --- sequencer ------------------------------------------------------------------------------------
# A command is read from program memory in one cycle, which is slow itself, and kept in the next.
# The command behind another is read while that one runs: only the first of a start and one that is
# branched to pay for it.
FETCH = 2
# It is decoded with its registers read, and checked, a cycle each.
DECODE = 2
SCALAR = 1
# The low half of a product takes a cycle of multiplication, the high half another one to round.
# Shifts are products with a power of two: to the left its low half, to the right its high half.
MULTIPLY = 2
MULTIPLY_HIGH = 3
# SRAM's word is taken in the first cycle and kept in the second, the number cut out in the third.
LOAD_SCALAR = 3
SCALARS = {
    "MUL": MULTIPLY,
    "SLL": MULTIPLY,
    "MULH": MULTIPLY_HIGH,
    "SRA": MULTIPLY_HIGH,
    "RSRA": MULTIPLY_HIGH,
    "LOADS": LOAD_SCALAR,
}
"""Commands of the sequencer that take longer than SCALAR."""
# A command that the sequencer refuses (illegal, a local address or a size out of range, an external
# address misaligned) ends in its second cycle.
REFUSED = 2

# --- lane -----------------------------------------------------------------------------------------
# From the decode turn that ends a row to its sum in the lane's result FIFO: window, code length,
# table index, table entry, column, row end, sum.
LANE_PIPELINE = 7
# Words of a stream that a lane reads ahead before the first turn: two in the window, one behind it.
PRIME_WORDS = 3
BANK_LATENCY = 2

# --- matrix-vector command -----------------------------------------------------------------------
MATVEC_START = 2
# From taking a row out of a FIFO to its element in SRAM: lane, record address, record, bias, sum of
# earlier commands, scale (six stages), clamp, write.
REQUANTISE = 13
MATVEC_END = 1
# WINDOW and POSITIONS are held, or refused, in their second cycle.
SET_UP = 2
# From the turn that ends the lanes' last row until they may begin with the next position, and from
# then, or from when a vector begins to load, to the first turn, what loads meanwhile apart.
LANES_IDLE = 7
POSITION_START = 2
# From the pick of the last row of a position until the one after the next may have its first turn.
ROWS_GONE = 4


# From the last header word of a code set to the first one of the next: its codes are worked out,
# one length per cycle.
CODE_CYCLES = 14


def load_block(sets: Sequence[tuple[int, int]], scales: int) -> int:
    """Cycles that a matrix block takes; `sets`: run and value entries of each code set.

    A header in as many cycles as words; then run and value words in turns, because a decoder's
    table is written in half words, but CODE_CYCLES at least; behind the sets a scale per cycle.
    """
    cycles = scales
    for entries in sets:
        words = max(padded_entries(count) // PARAM_WORD for count in entries)
        cycles += BLOCK_HEADER_BYTES // PARAM_WORD + max(2 * words, CODE_CYCLES)
    return cycles


def prime(threads: int) -> int:
    """Cycles until every stream of a lane is ready: directory, its end, PRIME_WORDS per stream."""
    return directory_words(threads) + 1 + 2 * threads * PRIME_WORDS + BANK_LATENCY


def load(sets: Sequence[tuple[int, int]], scales: int, reads: int, threads: int) -> int:
    """Cycles until the lanes start: block, activations and stream windows load side by side.

    sets, scales : none where the codes are held. reads : words of SRAM that hold the activations.
    """
    return max(load_block(sets, scales), reads, prime(threads))


# --- tile -----------------------------------------------------------------------------------------
# A number of the fields or a loose word is dealt in every cycle (`npu.chip.tile`) from so many
# behind the cycle in which the dealer has the front's last beat and that of the last length.
DEAL_START = 2
# From the cycle in which the dealer has the tile's last beat, or from the one behind its last word,
# until DMA_DONE counts.
DEAL_END = 1


def deal(lanes: int, threads: int, loose_words: int) -> int:
    """Cycles that a tile's numbers and loose words take."""
    return lanes * (1 + 3 * threads) + loose_words


# --- vector unit ----------------------------------------------------------------------------------
VECTOR_START = 2
# A command without elements, or with a table out of range, ends in its third cycle; one with an
# element out of range when it comes to it.
VECTOR_REFUSED = 3
# From a group's address to its results in SRAM: SRAM read, operands, zero point, product, then the
# requantiser (left shift, multiply (3), round and shift, zero point), clamp (2), write.
VECTOR_LATENCY = 12
# Table commands use the requantiser to scale their input, then: magnitude, look up (2),
# interpolate (2).
LOOKUP_LATENCY = VECTOR_LATENCY + 5
LOOKUPS = ("VSIGMOID", "VTANH", "VLUT")
# The add rescales both inputs, then their sum: three passes through the multiplier, the last of
# them once both inputs have come out.
ADD_PASSES = 3
ADD_LATENCY = VECTOR_LATENCY + 6


SUMS = ("VADD", "VSUB")
# A sum of products is one element behind its last product.
DOT_LATENCY = VECTOR_LATENCY + 1
# A VLOOP keeps its strides in the cycle in which others begin to read.
VECTOR_LOOP = 3


def vector(name: str, groups: int) -> int:
    """Cycles of a vector command over `groups` groups of elements: a looped one has one in each."""
    if name in SUMS:
        return VECTOR_START + ADD_PASSES * groups + ADD_LATENCY
    if name == "VDOT":
        return VECTOR_START + groups + DOT_LATENCY
    return VECTOR_START + groups + (LOOKUP_LATENCY if name in LOOKUPS else VECTOR_LATENCY)


# --- DMA ------------------------------------------------------------------------------------------
# No burst crosses a multiple of this address (AXI4, A3.4.1).
BURST_BOUNDARY = 4096
# From the start of a transfer to its first address on the bus (and, of a write, its first beat:
# in the same cycle), and from its last beat or response to `done`.
DMA_START = 2
DMA_DONE = 1
# From a read beat on the bus until the chip has it, and from `done` to the first beat that is taken
# of a transfer behind it.
DMA_BEAT = 1
DMA_NEXT = 2
# From `done` of a tile that does not fit to the sequencer's knowing it.
TILE_JUDGED = 2
