"""In which turns of its slot a row ends: all that the lanes' cycles depend on.

The same as the streams say once they are written (`npu.twin.streams`), but from the weights alone.
"""

import numpy as np

from compiler.codec.bits import RowSteps, steps_of
from compiler.codec.packed import Packed
from compiler.codec.symbols import CYCLE_BITS, Plan, Slots, as_coded, joined, make_plan
from npu.chip.lanes import NEVER, Turns
from npu.chip.weight_format import set_of_lane
from npu.jit import kernel


@kernel
def end_turns(steps: RowSteps, columns: int, slots: Slots, plan: Plan, ends: np.ndarray) -> None:
    """Write to `ends`, (rows,) int64, the turn of its slot in which every row ends.

    steps : of rows of so many columns; slots : whose rows stand in `ends` from `slots.starts` on;
    plan : one that can express them.
    """
    rows, starts = slots
    first, end_first = plan.gaps.first, plan.ends.first
    for slot in range(len(starts) - 1):
        turn = carried = 0
        ended, last = starts[slot], starts[slot + 1]
        column = -1
        for place in range(starts[slot], last):
            row = rows[place]
            for i in range(steps.starts[row], steps.starts[row + 1]):
                gap = carried + steps.gaps[i]
                carried = 0
                while True:
                    run = first[gap]
                    column += run + 1
                    if column >= columns:
                        column -= columns
                        ends[ended] = turn
                        ended += 1
                    turn += 1
                    if run == gap:
                        break
                    gap -= run + 1
            carried = steps.left[row]
        # The last row ends with the terminator.
        while ended < last:
            run = end_first[carried]
            column += run + 1
            if column >= columns:
                ends[ended] = turn
                ended += 1
            turn += 1
            carried -= run + 1


def turns_of(packed: Packed, weights: np.ndarray, cycle_bits: int = CYCLE_BITS) -> Turns:
    """The turns of a packed matrix.

    weights : (rows, columns) int8, those that were packed; cycle_bits : likewise.
    """
    lanes, threads, sets = packed.lanes, packed.threads, packed.sets
    slots = joined(packed.slot_rows)
    ends = np.zeros(len(slots.rows), np.int64)
    coded = as_coded(weights)
    columns = coded.shape[1]
    plans = [make_plan(tables, columns, cycle_bits) for tables in sets]
    steps = steps_of(coded)
    for number, plan in enumerate(plans):
        of_set = [lane for lane in range(lanes) if set_of_lane(lane, lanes, len(sets)) == number]
        if of_set:
            first, end = of_set[0] * threads, (of_set[-1] + 1) * threads
            end_turns(steps, columns, slots.part(first, end), plan, ends)
    return Turns(slots.starts, ends, np.full(lanes * threads, NEVER, np.int64))
