"""The hot loops of the encoder: a slot's rows to steps, and to bits in a lane's section."""

import numpy as np

from compiler.codec.symbols import Plan, Slots
from npu.chip.weight_format import WORD_BITS
from npu.jit import inner_kernel, kernel


@inner_kernel
def put(words: np.ndarray, bit: int, code: int, length: int) -> int:
    """OR the `length` <= WORD_BITS low bits of `code` in at `bit`; returns the position behind."""
    if length == 0:
        return bit
    index = bit // WORD_BITS
    space = WORD_BITS - bit % WORD_BITS
    if length <= space:
        words[index] |= np.uint32(code << (space - length))
    else:
        words[index] |= np.uint32(code >> (length - space))
        words[index + 1] |= np.uint32((code << (WORD_BITS + space - length)) & 0xFFFFFFFF)
    return bit + length


@inner_kernel
def row_steps(
    matrix: np.ndarray, row: int, carried: int, gaps: np.ndarray, weights: np.ndarray
) -> tuple[int, int]:
    """Write the steps of a row to `gaps` and `weights`; returns their number and the zeros left.

    A row without nonzeros is one explicit zero, in its last column. The first gap counts the
    `carried` zeros left by the row before, too.

    matrix : (rows, columns) int8, columns >= 1; gaps, weights : (columns,) int64, overwritten.
    """
    columns = matrix.shape[1]
    n = 0
    column = -1 - carried
    for i in range(columns):
        # Without a branch, which no processor could foresee: what a zero writes is written over.
        weight = matrix[row, i]
        gaps[n] = i - column - 1
        weights[n] = weight
        column = i if weight != 0 else column
        n += int(weight != 0)
    if n == 0:
        gaps[0] = columns - 1 + carried
        weights[0] = 0
        return 1, 0
    return n, columns - 1 - column


@kernel
def count_slots(
    weights: np.ndarray,
    slots: Slots,
    gap_counts: np.ndarray,
    end_counts: np.ndarray,
    value_counts: np.ndarray,
) -> None:
    """Add the steps of slots to the counts.

    weights : (rows, columns) int8. gap_counts : (2 * columns - 1,) int64, by gap; end_counts :
    (columns,) by the zeros behind a slot's last weight; value_counts : (256,) by weight modulo 256.
    """
    rows, starts = slots
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    for slot in range(len(starts) - 1):
        carried = 0
        for place in range(starts[slot], starts[slot + 1]):
            n, carried = row_steps(weights, rows[place], carried, gaps, values)
            for i in range(n):
                gap_counts[gaps[i]] += 1
                value_counts[values[i] & 0xFF] += 1
        if starts[slot + 1] > starts[slot]:
            end_counts[carried] += 1


@kernel
def measure_slots(weights: np.ndarray, slots: Slots, plan: Plan) -> np.ndarray:
    """(slots, 3) int64: weights coded, run bits and value bits of each slot.

    weights : (rows, columns) int8. The bits are NO_CODE or more where the plan has no code.
    """
    rows, starts = slots
    _, bits, zeros = plan.gaps
    value_lengths = plan.values.lengths
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    sizes = np.zeros((len(starts) - 1, 3), np.int64)
    for slot in range(len(sizes)):
        symbols = run_bits = value_bits = explicit = carried = 0
        for place in range(starts[slot], starts[slot + 1]):
            n, carried = row_steps(weights, rows[place], carried, gaps, values)
            symbols += n
            for i in range(n):
                explicit += zeros[gaps[i]]
                run_bits += bits[gaps[i]]
                value_bits += value_lengths[values[i] & 0xFF]
        if starts[slot + 1] > starts[slot]:
            explicit += plan.ends.zeros[carried]
            run_bits += plan.ends.bits[carried]
        # Not multiplied blindly: without a code for zero this is 0 times NO_CODE.
        if explicit:
            value_bits += explicit * value_lengths[0]
        sizes[slot, 0], sizes[slot, 1], sizes[slot, 2] = symbols + explicit, run_bits, value_bits
    return sizes


@kernel
def measure_rows(weights: np.ndarray, rows: np.ndarray, plan: Plan, sizes: np.ndarray) -> None:
    """What some rows take by themselves, to `sizes`: (rows of the matrix, 4) int64.

    Zeros at a row's start and at its end; weights coded and bits between.
    """
    _, bits, zeros = plan.gaps
    value_lengths = plan.values.lengths
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    for place in range(len(rows)):
        row = rows[place]
        n, left = row_steps(weights, row, 0, gaps, values)
        explicit = 0
        total = value_lengths[values[0] & 0xFF]
        for i in range(1, n):
            explicit += zeros[gaps[i]]
            total += bits[gaps[i]] + value_lengths[values[i] & 0xFF]
        if explicit:
            total += explicit * value_lengths[0]
        sizes[row, 0], sizes[row, 1], sizes[row, 2], sizes[row, 3] = gaps[0], left, n, total
        sizes[row, 2] += explicit


@kernel
def join_rows(sizes: np.ndarray, slots: Slots, plan: Plan) -> np.ndarray:
    """(slots, 2) int64: weights coded and bits of slots, from what their rows take.

    sizes : of `measure_rows`.
    """
    rows, starts = slots
    _, bits, zeros = plan.gaps
    found = np.zeros((len(starts) - 1, 2), np.int64)
    for slot in range(len(found)):
        symbols = total = explicit = carried = 0
        for place in range(starts[slot], starts[slot + 1]):
            row = rows[place]
            gap = carried + sizes[row, 0]
            carried = sizes[row, 1]
            symbols += sizes[row, 2]
            total += sizes[row, 3] + bits[gap]
            explicit += zeros[gap]
        if starts[slot + 1] > starts[slot]:
            explicit += plan.ends.zeros[carried]
            total += plan.ends.bits[carried]
        if explicit:
            total += explicit * plan.values.lengths[0]
        found[slot, 0], found[slot, 1] = symbols + explicit, total
    return found


@kernel
def write_slots(
    weights: np.ndarray,
    slots: Slots,
    plan: Plan,
    words: np.ndarray,
    run_starts: np.ndarray,
    value_starts: np.ndarray,
) -> None:
    """Write the two streams of each slot.

    weights : (rows, columns) int8; plan : one that can express the slots; words : (n,) uint32, zero
    where the streams will be; run_starts, value_starts : (slots,) the bits where they start.
    """
    rows, starts = slots
    first, end_first = plan.gaps.first, plan.ends.first
    run_codes, run_lengths = plan.runs
    value_codes, value_lengths = plan.values
    columns = weights.shape[1]
    gaps = np.empty(columns, np.int64)
    values = np.empty(columns, np.int64)
    for slot in range(len(starts) - 1):
        run_bit, value_bit = run_starts[slot], value_starts[slot]
        carried = 0
        for place in range(starts[slot], starts[slot + 1]):
            n, carried = row_steps(weights, rows[place], carried, gaps, values)
            for i in range(n):
                gap = gaps[i]
                while first[gap] != gap:
                    run = first[gap]
                    run_bit = put(words, run_bit, run_codes[run], run_lengths[run])
                    value_bit = put(words, value_bit, value_codes[0], value_lengths[0])
                    gap -= run + 1
                run_bit = put(words, run_bit, run_codes[gap], run_lengths[gap])
                value = values[i] & 0xFF
                value_bit = put(words, value_bit, value_codes[value], value_lengths[value])
        while starts[slot + 1] > starts[slot]:
            run = end_first[carried]
            run_bit = put(words, run_bit, run_codes[run], run_lengths[run])
            if run >= carried:
                break
            value_bit = put(words, value_bit, value_codes[0], value_lengths[0])
            carried -= run + 1
