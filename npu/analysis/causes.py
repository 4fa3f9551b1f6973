"""What the cycles of commands are spent on, cause by cause; they sum to the cycles.

Of a matrix-vector command, over L lanes:

    multiply         macs / L: multiplications by a nonzero weight
    explicit zeros   (symbols - macs) / L: zero weights that are coded, where a gap is too long
    row ends         (turns - symbols) / L: turns that only end a row
    lane imbalance   what is left of the turns until the fullest slot is through
    requantiser      rows that leave the lanes one by one, and those behind the last turn
    loading          codes, activations and stream windows until the lanes begin, and begin again at
                     each further position

and of the others:

    memory           transfers that a command waits for: its own, one with its tag, the queue's
    vector           the vector unit
    sequencer        fetch, decode, and scalar commands

How a further position's start divides between loading and requantiser is an estimate, by the mean
position; the sum of both is exact.
"""

from collections.abc import Mapping

import numpy as np

from npu.chip import timing
from npu.chip.isa import OPCODES, Command
from npu.chip.params import ChipParams
from npu.events.machine import Tally
from npu.events.stretch import COUNTS

CAUSES = (
    "multiply",
    "explicit zeros",
    "lane imbalance",
    "row ends",
    "requantiser",
    "loading",
    "memory",
    "vector",
    "sequencer",
)


def counts_by_name(row: np.ndarray) -> dict[str, int]:
    """A row of `Tally.counts` under its names."""
    return dict(zip(COUNTS, row.tolist(), strict=True))


def causes_of(cmd: Command, tally: Tally, pc: int, params: ChipParams) -> dict[str, float]:
    """Cycles of all runs of the command at `pc` by CAUSES, fetch and decode with them."""
    counts = counts_by_name(tally.counts[pc])
    spent, runs = int(tally.spent[pc]), int(tally.runs[pc])
    found = dict.fromkeys(CAUSES, 0.0)
    found["sequencer"] = float(counts["sequencer_cycles"])
    unit = OPCODES[cmd.opcode.name].unit
    if cmd.opcode.name == "MATVEC":
        for cause, cycles in _product(cmd, counts, spent, runs, params).items():
            found[cause] += cycles
    elif unit == "matvec":
        found["loading"] += spent
    elif unit == "vector":
        found["vector"] += spent
    elif unit == "dma":
        found["memory"] += spent
    else:
        found["memory"] += counts["wait_cycles"]
        found["sequencer"] += spent - counts["wait_cycles"]
    return found


def _product(
    cmd: Command, counts: Mapping[str, int], spent: int, runs: int, params: ChipParams
) -> dict[str, float]:
    lanes, macs, symbols = params.lanes, counts["macs"], counts["symbols"]
    turns, decode = counts["matvec_turns"], counts["matvec_decode_cycles"]
    run, positions = counts["matvec_run_cycles"], counts["matvec_positions"]
    behind = run - decode
    again = 0.0
    if positions > runs:
        again = min(behind, (positions - runs) * _restart(cmd, counts, params))
    return {
        "multiply": macs / lanes,
        "explicit zeros": (symbols - macs) / lanes,
        "row ends": (turns - symbols) / lanes,
        "lane imbalance": decode - turns / lanes,
        "requantiser": behind - again,
        "loading": spent - run + again,
    }


def _restart(cmd: Command, counts: Mapping[str, int], params: ChipParams) -> float:
    """Cycles from a position's last turn to the next one's first, were no row in the way."""
    reads = counts["activation_words"] / counts["matvec_positions"]
    if cmd.columns <= params.ahead_columns and not cmd.add:
        reads -= counts["matvec_decode_cycles"] / counts["matvec_positions"]
    ready = max(timing.prime(params.threads), reads)
    return timing.LANES_IDLE + ready + timing.POSITION_START


def bound_by(causes: Mapping[str, float]) -> str:
    """The cause of most cycles."""
    return max(causes, key=lambda cause: causes[cause])
