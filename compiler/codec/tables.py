"""The search for the code tables of the rows that share them.

Both streams are judged by histograms alone, so the search costs the same for a small matrix and a
large one. Run and value table meet in the explicit zeros: the run table decides how many there are,
the value table what one costs. Two guesses of that cost, a rare symbol's and a frequent one's, come
within a ten-thousandth of what taking turns finds.
"""

from collections.abc import Sequence

import numpy as np

from compiler.codec.codebook import code_table
from compiler.codec.runs import choose_runs
from compiler.codec.steps import Part, Steps, count_steps, table_bits
from compiler.codec.symbols import ZERO_CYCLE_BITS
from compiler.codec.values import choose_values
from npu.format import CodeSet, CodeTable, set_of_lane

# What an explicit zero's value costs before anything is known: a rare symbol in a sparse matrix, a
# frequent one where it takes the place of a run.
RARE_ZERO_BITS = 10
FREQUENT_ZERO_BITS = 4
# From so many weights among the places on, zeros may be worth coding in place of runs.
FREQUENT_ZEROS_FROM = 0.4


def choose_tables(steps: Steps) -> CodeSet:
    """Run and value table for these steps, with the fewest bits found.

    Counts the streams, the tables in the matrix block, the explicit zeros, and for each of those
    ZERO_CYCLE_BITS on top for its decode cycle. The same input gives the same tables.
    """
    best: tuple[int, CodeTable, CodeTable] | None = None
    places = steps.places
    guesses = [RARE_ZERO_BITS]
    if steps.values.sum() >= FREQUENT_ZEROS_FROM * places:
        guesses.append(FREQUENT_ZERO_BITS)
    for guess in guesses:
        runs = choose_runs(steps, guess + ZERO_CYCLE_BITS)
        counts = steps.values.copy()
        counts[0] += runs.explicit
        values = choose_values(counts)
        total = runs.bits - runs.explicit * guess + values.bits
        if best is None or total < best[0]:
            best = total, runs.table(), values.table
    assert best is not None
    # A bound for every input: all weights, zeros too, in eight bits each.
    if 8 * places + 2 * table_bits(1) < best[0]:
        one = np.zeros(1, np.int64)
        return code_table(one, one, 0), code_table(one, one, 8)
    return best[1], best[2]


def choose_sets(parts: Sequence[Part], lanes: int, sets: int) -> list[CodeSet]:
    """Code sets for dealt matrices that share them.

    parts : matrices of the same number of columns, each dealt to the slots of `lanes` lanes.
    """
    columns = max((weights.shape[1] for weights, _ in parts), default=1)
    chosen = []
    for number in range(sets):
        mine = [lane for lane in range(lanes) if set_of_lane(lane, lanes, sets) == number]
        shares = []
        for weights, slot_rows in parts:
            threads = len(slot_rows) // lanes
            slots = [lane * threads + thread for lane in mine for thread in range(threads)]
            shares.append((weights, [slot_rows[slot] for slot in slots]))
        chosen.append(choose_tables(count_steps(columns, shares)))
    return chosen
