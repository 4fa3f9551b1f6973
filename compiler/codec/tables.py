"""The search for the code tables of the rows that share them.

Both streams are judged by histograms alone, so the search costs the same for a small matrix and a
large one. Run and value table meet in the explicit zeros: the run table decides how many there are,
the value table what one costs. So its cost is guessed, and guessed again where it was far off: in a
small alphabet few explicit zeros push a further entry into a code, which lengthens all others.
"""

from collections.abc import Sequence

import numpy as np

from compiler.codec.bits import steps_of
from compiler.codec.checks import as_slots, check_count
from compiler.codec.codebook import code_table
from compiler.codec.runs import choose_runs
from compiler.codec.steps import DealtSteps, Part, Steps, count_steps, table_bits
from compiler.codec.symbols import CYCLE_BITS, as_coded, check_cycle_bits
from compiler.codec.values import choose_values
from npu.chip.weight_format import SETS, CodeSet, CodeTable, set_of_lane

# What an explicit zero's value costs before anything is known: a rare symbol in a sparse matrix, a
# frequent one where it takes the place of a run.
RARE_ZERO_BITS = 10
FREQUENT_ZERO_BITS = 1
# A guess is mended, so many times at most, where a zero really costs so many times as much.
GUESSES = 5
FAR_OFF = 2
# From so many weights among the places on, zeros may be worth coding in place of runs.
FREQUENT_ZEROS_FROM = 0.4


def choose_tables(steps: Steps, cycle_bits: int = CYCLE_BITS) -> CodeSet:
    """Run and value table for these steps, with the fewest bits found.

    Counts the streams, the tables in the matrix block, the explicit zeros, and for each of those
    `cycle_bits` on top for its decode cycle. The same input gives the same tables.
    """
    best: tuple[int, CodeTable, CodeTable] | None = None
    places = steps.places
    weights = int(steps.values.sum())
    plain = choose_values(steps.values)
    first_guesses = [RARE_ZERO_BITS]
    if weights >= FREQUENT_ZEROS_FROM * places:
        first_guesses.append(FREQUENT_ZERO_BITS)
    for guess in first_guesses:
        for _ in range(GUESSES):
            runs = choose_runs(steps, guess + cycle_bits)
            counts = steps.values.copy()
            counts[0] += runs.explicit
            values = choose_values(counts) if runs.explicit else plain
            total = runs.bits - runs.explicit * guess + values.bits
            if best is None or total < best[0]:
                best = total, runs.table(), values.table
            extra = values.bits - plain.bits
            if extra <= FAR_OFF * guess * runs.explicit:
                break
            guess = -(-extra // runs.explicit)
    assert best is not None
    # A bound for every input: all weights, zeros too, in eight bits each. A caller to whom cycles
    # are worth more than by default gives it up for them.
    dearer = max(0, cycle_bits - CYCLE_BITS) * (places - weights)
    if 8 * places + 2 * table_bits(1) + dearer < best[0]:
        one = np.zeros(1, np.int64)
        return code_table(one, one, 0), code_table(one, one, 8)
    return best[1], best[2]


def choose_sets(
    parts: Sequence[Part], lanes: int, sets: int, cycle_bits: int = CYCLE_BITS
) -> list[CodeSet]:
    """Code sets for dealt matrices that share them.

    parts : matrices of the same number of columns, each dealt to the slots of `lanes` lanes.
    cycle_bits : what a lane's cycle is worth in bits.
    """
    check_count("lanes", lanes)
    if sets not in SETS:
        raise ValueError(f"{sets} code sets, must be one of {SETS}")
    check_cycle_bits(cycle_bits)
    checked = [(as_coded(weights), as_slots(slots, len(weights))) for weights, slots in parts]
    for _, slot_rows in checked:
        if not slot_rows or len(slot_rows) % lanes:
            raise ValueError(f"{len(slot_rows)} slots for {lanes} lanes")
    if not parts:
        lanes = min(lanes, sets)
    columns = max((weights.shape[1] for weights, _ in checked), default=1)
    dealt = [(steps_of(weights), slots) for weights, slots in checked]
    return sets_for(columns, dealt, lanes, sets, cycle_bits)


def sets_for(
    columns: int, parts: Sequence[DealtSteps], lanes: int, sets: int, cycle_bits: int
) -> list[CodeSet]:
    """`choose_sets` for rows as steps, of so many columns, at least one; nothing is checked."""
    chosen = []
    for number in range(sets):
        mine = [lane for lane in range(lanes) if set_of_lane(lane, lanes, sets) == number]
        shares = []
        for of_rows, slot_rows in parts:
            threads = len(slot_rows) // lanes
            slots = [lane * threads + thread for lane in mine for thread in range(threads)]
            shares.append((of_rows, [slot_rows[slot] for slot in slots]))
        chosen.append(choose_tables(count_steps(columns, shares), cycle_bits))
    return chosen
