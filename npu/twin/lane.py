"""Lanes and requantiser, cycle by cycle.

Every lane is a barrel of `threads` rows: in cycle c all lanes give their turn to thread c mod
threads. A turn decodes one run and one value symbol of that thread's streams, moves its column,
multiplies and accumulates. A column past the last one ends the row: LANE_PIPELINE cycles after that
turn the sum so far enters the lane's result FIFO, and the product begins the next row's. The turn
that ends a slot's last row, its terminator, has no product. A turn is skipped while the FIFO could
overflow from rows already in the pipeline. Refilling the bit windows never costs a turn: each
stream gets one 32-bit bank word per two turns, and two symbols take at most 32 bits (see
npu.chip.weight_format.MAX_SYMBOL_BITS).

The requantiser takes one finished row at a time from the lanes in round-robin order, reads its
record (one cycle, two with a scale per row) and writes the element REQUANTISE cycles later.
"""

import numpy as np

from npu.chip import timing
from npu.chip.compiled import directory_words, read_directory, set_of_lane
from npu.chip.status import Status
from npu.chip.weight_format import ACTIVATION_BITS, WORD_BITS
from npu.jit import kernel
from npu.model.numerics import MAX_SHIFT, MIN_SHIFT, requantize, wrap_int32
from npu.twin.decoder import decode_run, decode_value

_LANE_PIPELINE = timing.LANE_PIPELINE
_REQUANTISE = timing.REQUANTISE

# What `step` finds wrong, and the chip's status then; 0 is success.
FAULTS = {
    1: (Status.STREAM, "a stream ends outside the bank"),
    2: (Status.STREAM, "a stream runs past its end"),
    3: (Status.STREAM, "a column lies outside the input vector"),
    4: (Status.STREAM, "a stream is not used up at the end of its rows"),
    5: (Status.RECORD, "a row record lies outside parameter memory"),
    6: (Status.RECORD, "a destination or scale index is out of range"),
    7: (Status.RECORD, "a scale is out of range"),
    8: (None, "the limit of cycles is used up; if the image is right, raise it with --max-cycles"),
}
_OUTSIDE, _OVERRUN, _COLUMN, _LEFTOVER, _RECORD, _INDEX, _SCALE, _ENDLESS = FAULTS


@kernel
def broadcast(vector, zero):
    """(columns,) int32: `vector` (int8) minus its zero point, ACTIVATION_BITS in two's complement.

    Only a zero point that is no int8 makes them wrap.
    """
    activations = np.empty(len(vector), np.int32)
    half = 1 << (ACTIVATION_BITS - 1)
    for c in range(len(vector)):
        activations[c] = ((np.int64(vector[c]) - zero + half) & (2 * half - 1)) - half
    return activations


@kernel
def step(
    banks,
    base,
    threads,
    run_raw,
    run_limits,
    run_offsets,
    run_entries,
    value_raw,
    value_limits,
    value_offsets,
    value_entries,
    activations,
    bias,
    destination,
    scale,
    multipliers,
    shifts,
    per_row,
    fifo_depth,
    zero_point,
    lo,
    hi,
    out,
    order,
    plan_row,
    plan_column,
    plan_weight,
    most_cycles=1 << 62,
):
    """Run the lanes from their first turn to the last write.

    banks : (lanes, words) uint32; the sections start at word `base` of every lane.
    run_raw, value_raw : (sets,) raw bits; run_limits, run_offsets, ... : (sets, LENGTHS);
        run_entries, value_entries : (sets, MAX_SYMBOLS) uint8, by code set.
    activations : (columns,) int32, see `broadcast`.
    bias, destination, scale : (records,) row records in order; multipliers, shifts : per record if
        `per_row`, else the shared scales that `scale` selects.
    out : (elements,) int64, written at `destination`.
    order : (rows of all slots, 2) int64, set to the rows as the requantiser takes
        them one by one: number (counted slot by slot) and its record.
    plan_* : number of the row, column and weight of every symbol in decode order, as far as there
        is room; `symbols` says how many there were.

    most_cycles : a fault if the lanes need more.

    A corrupt stream ends the run at once, a row whose record is wrong writes nothing and is told
    at the end.

    Returns (fault, lane, thread, bit, cycles, symbols, macs, gated, stalled turns).
    """
    lanes = banks.shape[0]
    slots = lanes * threads
    words = banks.shape[1]
    columns = len(activations)
    room = len(plan_row)
    sets = len(run_raw)

    run_bit = np.zeros(slots, np.int64)
    run_end = np.zeros(slots, np.int64)
    value_bit = np.zeros(slots, np.int64)
    value_end = np.zeros(slots, np.int64)
    rows_left = np.zeros(slots, np.int64)
    record = np.zeros(slots, np.int64)
    for lane in range(lanes):
        bit = np.int64(directory_words(threads) * WORD_BITS)
        for thread in range(threads):
            slot = lane * threads + thread
            run_bits, value_bits, rows_left[slot], record[slot] = read_directory(
                banks[lane, base:], thread
            )
            if rows_left[slot] == 0 and run_bits + value_bits > 0:
                return _LEFTOVER, lane, thread, bit, 0, 0, 0, 0, 0
            run_bit[slot] = bit
            run_end[slot] = value_bit[slot] = bit + run_bits
            bit += run_bits + value_bits
            value_end[slot] = bit
        if bit > (words - base) * WORD_BITS:
            return _OUTSIDE, lane, threads - 1, bit, 0, 0, 0, 0, 0

    column = np.full(slots, -1, np.int64)  # of the last nonzero
    accumulator = np.zeros(slots, np.int64)
    sums = np.zeros((lanes, fifo_depth), np.int64)
    numbers = np.zeros((lanes, fifo_depth), np.int64)
    records = np.zeros((lanes, fifo_depth), np.int64)
    arrives = np.zeros((lanes, fifo_depth), np.int64)
    head = np.zeros(lanes, np.int64)
    held = np.zeros(lanes, np.int64)  # rows in the FIFO or on their way to it
    arrived = np.zeros(lanes, np.int64)  # rows in the FIFO

    row_cycles = 2 if per_row else 1
    wrong_record = 0
    wrong_lane = 0
    number = np.zeros(slots, np.int64)
    rows_open = np.int64(0)
    for slot in range(slots):
        number[slot] = rows_open
        rows_open += rows_left[slot]
    decoding = rows_open
    symbols = np.int64(0)
    macs = np.int64(0)
    gated = np.int64(0)
    stalled = np.int64(0)
    next_lane = 0
    free_at = np.int64(0)
    last_write = np.int64(-1)
    cycle = np.int64(0)
    thread = 0
    while rows_open > 0:
        if cycle >= most_cycles:
            return _ENDLESS, 0, thread, 0, cycle, 0, 0, 0, 0
        for lane in range(lanes):
            while arrived[lane] < held[lane]:
                place = (head[lane] + arrived[lane]) % fifo_depth
                if arrives[lane, place] > cycle:
                    break
                arrived[lane] += 1
        # What the FIFOs hold at the start of the cycle decides about turns and about the
        # requantiser.
        taken = -1
        if cycle >= free_at:
            for i in range(lanes):
                lane = next_lane + i
                if lane >= lanes:
                    lane -= lanes
                if arrived[lane] > 0:
                    taken = lane
                    break
        if decoding > 0:
            for lane in range(lanes):
                slot = lane * threads + thread
                if rows_left[slot] == 0:
                    continue
                if arrived[lane] + _LANE_PIPELINE > fifo_depth:
                    stalled += 1
                    continue
                section = banks[lane, base:]
                code = set_of_lane(lane, lanes, sets)
                run, run_bits = decode_run(
                    *(section, run_bit[slot], run_limits[code], run_offsets[code]),
                    *(run_entries[code], run_raw[code]),
                )
                at = column[slot] + 1 + run
                row_end = at >= columns
                if row_end:
                    at -= columns
                finished = row_end and rows_left[slot] == 1
                if run_bit[slot] + run_bits > run_end[slot]:
                    return _OVERRUN, lane, thread, run_bit[slot], cycle, 0, 0, 0, 0
                if at >= columns:
                    return _COLUMN, lane, thread, run_bit[slot], cycle, 0, 0, 0, 0
                run_bit[slot] += run_bits
                if row_end:
                    place = (head[lane] + held[lane]) % fifo_depth
                    sums[lane, place] = wrap_int32(accumulator[slot])
                    numbers[lane, place] = number[slot]
                    records[lane, place] = record[slot]
                    arrives[lane, place] = cycle + _LANE_PIPELINE
                    held[lane] += 1
                    accumulator[slot] = 0
                    number[slot] += 1
                    record[slot] += 1
                    rows_left[slot] -= 1
                    decoding -= 1
                column[slot] = at
                if finished:
                    if run_bit[slot] != run_end[slot] or value_bit[slot] != value_end[slot]:
                        return _LEFTOVER, lane, thread, run_bit[slot], cycle, 0, 0, 0, 0
                    continue
                weight, value_bits = decode_value(
                    *(section, value_bit[slot], value_limits[code], value_offsets[code]),
                    *(value_entries[code], value_raw[code]),
                )
                if value_bit[slot] + value_bits > value_end[slot]:
                    return _OVERRUN, lane, thread, value_bit[slot], cycle, 0, 0, 0, 0
                value_bit[slot] += value_bits
                if symbols < room:
                    plan_row[symbols] = number[slot]
                    plan_column[symbols] = at
                    plan_weight[symbols] = weight
                symbols += 1
                macs += weight != 0
                gated += weight != 0 and activations[at] == 0
                accumulator[slot] += weight * activations[at]
        if taken >= 0:
            place = head[taken]
            r = records[taken, place]
            index = r if per_row or r >= len(bias) else scale[r]
            wrong = 0
            if r >= len(bias):
                wrong = _RECORD
            elif index >= len(multipliers) or destination[r] >= len(out):
                wrong = _INDEX
            elif multipliers[index] < 0 or not MIN_SHIFT <= shifts[index] <= MAX_SHIFT:
                wrong = _SCALE
            else:
                order[len(order) - rows_open, 0] = numbers[taken, place]
                order[len(order) - rows_open, 1] = r
                out[destination[r]] = requantize(
                    *(sums[taken, place], bias[r], multipliers[index], shifts[index]),
                    *(zero_point, lo, hi),
                )
            if wrong_record == 0:
                wrong_record = wrong
                wrong_lane = taken
            head[taken] = (place + 1) % fifo_depth
            held[taken] -= 1
            arrived[taken] -= 1
            next_lane = taken + 1 if taken + 1 < lanes else 0
            free_at = cycle + row_cycles
            last_write = cycle + _REQUANTISE
            rows_open -= 1
        cycle += 1
        thread += 1
        if thread == threads:
            thread = 0
    if wrong_record:
        return wrong_record, wrong_lane, 0, 0, last_write + 1, 0, 0, 0, 0
    return 0, 0, 0, 0, last_write + 1, symbols, macs, gated, stalled


@kernel
def planned(
    weights,
    nonzeros,
    vector,
    vector_zero,
    bias,
    destination,
    multipliers,
    shifts,
    zero_point,
    lo,
    hi,
    out,
):
    """The same results from the decoded weights, without the cycles.

    weights : (rows, columns) int8, in the order in which the rows leave; bias, destination,
        multipliers, shifts : (rows,) likewise.
    nonzeros : (columns,) nonzero weights of every column.
    vector : (columns,) int8, its zero point is `vector_zero`.
    out : int8 or int16, written at `destination`; may overlap `vector`.
    Returns the MACs that a zero activation gated.
    """
    activations = broadcast(vector, vector_zero)
    columns = len(activations)
    gated = np.int64(0)
    for c in range(columns):
        if activations[c] == 0:
            gated += nonzeros[c]
    for row in range(len(weights)):
        total = np.int32(0)
        for c in range(columns):
            # int32 throughout, so that the compiler may use its widest multiply-add.
            total = np.int32(total + np.int32(weights[row, c]) * activations[c])
        out[destination[row]] = requantize(
            np.int64(total), bias[row], multipliers[row], shifts[row], zero_point, lo, hi
        )
    return gated
