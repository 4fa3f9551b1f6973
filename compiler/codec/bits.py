"""The hot loops of the encoder: a slot's rows to steps, and to bits in a lane's section.

A search for codes and slots looks at the same rows many times, and most of a row may be zeros:
`steps_of` passes over those once.
"""

from typing import NamedTuple

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


class RowSteps(NamedTuple):
    """The steps of the rows of a matrix, each row by itself.

    A row without nonzeros is one explicit zero, in its last column.

    Attributes
    ----------
    starts : (rows + 1,) int64, where in `gaps` and `values` each row's steps start.
    gaps, values : (steps,) int32 and uint8: zeros skipped in the row, then the weight modulo 256.
    left : (rows,) int64, zeros behind a row's last step.
    """

    starts: np.ndarray
    gaps: np.ndarray
    values: np.ndarray
    left: np.ndarray

    def part(self, first: int, end: int) -> "RowSteps":
        """The rows from `first` to before `end`."""
        return RowSteps(self.starts[first : end + 1], self.gaps, self.values, self.left[first:end])


@kernel
def steps_of(weights: np.ndarray) -> RowSteps:
    """weights : (rows, columns) int8, columns >= 1."""
    rows, columns = weights.shape
    starts = np.zeros(rows + 1, np.int64)
    for row in range(rows):
        n = 0
        for i in range(columns):
            n += int(weights[row, i] != 0)
        starts[row + 1] = starts[row] + max(1, n)
    # One more, where a row's zeros behind its last weight are written, and written over.
    gaps = np.empty(starts[rows] + 1, np.int32)
    values = np.empty(starts[rows] + 1, np.uint8)
    left = np.zeros(rows, np.int64)
    for row in range(rows):
        n = starts[row]
        column = -1
        for i in range(columns):
            # Without a branch, which nobody could foresee: what a zero writes is written over.
            weight = weights[row, i]
            gaps[n] = i - column - 1
            values[n] = np.uint8(weight)
            column = i if weight != 0 else column
            n += int(weight != 0)
        if n == starts[row]:
            gaps[n], values[n] = columns - 1, 0
        else:
            left[row] = columns - 1 - column
    return RowSteps(starts, gaps[: starts[rows]], values[: starts[rows]], left)


@kernel
def count_slots(
    steps: RowSteps,
    slots: Slots,
    gap_counts: np.ndarray,
    end_counts: np.ndarray,
    value_counts: np.ndarray,
) -> None:
    """Add the steps of slots to the counts.

    gap_counts : (2 * columns - 1,) int64, by gap, the zeros left by the row before included;
    end_counts : (columns,) by the zeros behind a slot's last weight; value_counts : (256,) by
    weight modulo 256.
    """
    rows, starts = slots
    for slot in range(len(starts) - 1):
        carried = 0
        for place in range(starts[slot], starts[slot + 1]):
            row = rows[place]
            for i in range(steps.starts[row], steps.starts[row + 1]):
                gap_counts[carried + steps.gaps[i]] += 1
                value_counts[steps.values[i]] += 1
                carried = 0
            carried = steps.left[row]
        if starts[slot + 1] > starts[slot]:
            end_counts[carried] += 1


@kernel
def measure_slots(steps: RowSteps, slots: Slots, plan: Plan) -> np.ndarray:
    """(slots, 3) int64: weights coded, run bits and value bits of each slot.

    The bits are NO_CODE or more where the plan has no code.
    """
    rows, starts = slots
    _, bits, zeros = plan.gaps
    value_lengths = plan.values.lengths
    sizes = np.zeros((len(starts) - 1, 3), np.int64)
    for slot in range(len(sizes)):
        symbols = run_bits = value_bits = explicit = carried = 0
        for place in range(starts[slot], starts[slot + 1]):
            row = rows[place]
            first, behind = steps.starts[row], steps.starts[row + 1]
            symbols += behind - first
            for i in range(first, behind):
                gap = carried + steps.gaps[i]
                explicit += zeros[gap]
                run_bits += bits[gap]
                value_bits += value_lengths[steps.values[i]]
                carried = 0
            carried = steps.left[row]
        if starts[slot + 1] > starts[slot]:
            explicit += plan.ends.zeros[carried]
            run_bits += plan.ends.bits[carried]
        # Not multiplied blindly: without a code for zero this is 0 times NO_CODE.
        if explicit:
            value_bits += explicit * value_lengths[0]
        sizes[slot, 0], sizes[slot, 1], sizes[slot, 2] = symbols + explicit, run_bits, value_bits
    return sizes


@kernel
def measure_rows(steps: RowSteps, rows: np.ndarray, plan: Plan, sizes: np.ndarray) -> None:
    """What some rows take by themselves, to `sizes`: (rows of the matrix, 4) int64.

    Zeros at a row's start and at its end; weights coded and bits between.
    """
    _, bits, zeros = plan.gaps
    value_lengths = plan.values.lengths
    for place in range(len(rows)):
        row = rows[place]
        first, behind = steps.starts[row], steps.starts[row + 1]
        explicit = 0
        total = value_lengths[steps.values[first]]
        for i in range(first + 1, behind):
            explicit += zeros[steps.gaps[i]]
            total += bits[steps.gaps[i]] + value_lengths[steps.values[i]]
        if explicit:
            total += explicit * value_lengths[0]
        sizes[row, 0], sizes[row, 1] = steps.gaps[first], steps.left[row]
        sizes[row, 2], sizes[row, 3] = behind - first + explicit, total


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
    steps: RowSteps,
    slots: Slots,
    plan: Plan,
    words: np.ndarray,
    run_starts: np.ndarray,
    value_starts: np.ndarray,
) -> None:
    """Write the two streams of each slot.

    plan : one that can express the slots; words : (n,) uint32, zero where the streams will be;
    run_starts, value_starts : (slots,) the bits where they start.
    """
    rows, starts = slots
    first, end_first = plan.gaps.first, plan.ends.first
    run_codes, run_lengths = plan.runs
    value_codes, value_lengths = plan.values
    for slot in range(len(starts) - 1):
        run_bit, value_bit = run_starts[slot], value_starts[slot]
        carried = 0
        for place in range(starts[slot], starts[slot + 1]):
            row = rows[place]
            for i in range(steps.starts[row], steps.starts[row + 1]):
                gap = carried + steps.gaps[i]
                carried = 0
                while first[gap] != gap:
                    run = first[gap]
                    run_bit = put(words, run_bit, run_codes[run], run_lengths[run])
                    value_bit = put(words, value_bit, value_codes[0], value_lengths[0])
                    gap -= run + 1
                run_bit = put(words, run_bit, run_codes[gap], run_lengths[gap])
                value = steps.values[i]
                value_bit = put(words, value_bit, value_codes[value], value_lengths[value])
            carried = steps.left[row]
        while starts[slot + 1] > starts[slot]:
            run = end_first[carried]
            run_bit = put(words, run_bit, run_codes[run], run_lengths[run])
            if run >= carried:
                break
            value_bit = put(words, value_bit, value_codes[0], value_lengths[0])
            carried -= run + 1
