"""What a search for tables codes: steps, by how often each occurs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.codec.bits import RowSteps, count_slots
from compiler.codec.symbols import joined
from npu.chip.compiled import padded_entries
from npu.jit import inner_kernel

Part = tuple[np.ndarray, Sequence[np.ndarray]]
"""A matrix (rows, columns) int8 and its rows by slot."""

DealtSteps = tuple[RowSteps, Sequence[np.ndarray]]
"""The same, its rows as steps."""


@dataclass(frozen=True, eq=False)
class Steps:
    """What is to be coded, each by its count.

    Attributes
    ----------
    columns : of the matrix.
    gaps, ends, values : see `compiler.codec.bits.count_slots`.
    """

    columns: int
    gaps: np.ndarray
    ends: np.ndarray
    values: np.ndarray

    @property
    def places(self) -> int:
        """Weights of the matrices, zeros too."""
        runs = sum(int(np.arange(len(counts)) @ counts) for counts in (self.gaps, self.ends))
        return runs + int(self.values.sum())

    def trimmed(self) -> "Steps":
        """Without the counts of gaps and ends longer than any that occurs."""
        longest = max(int(np.flatnonzero(c).max(initial=0)) for c in (self.gaps, self.ends))
        return Steps(self.columns, self.gaps[: longest + 1], self.ends[: longest + 1], self.values)


def count_steps(columns: int, parts: Sequence[DealtSteps]) -> Steps:
    """Count the steps of matrices of so many columns, at least one, dealt."""
    steps = Steps(
        columns,
        np.zeros(2 * columns - 1, np.int64),
        np.zeros(columns, np.int64),
        np.zeros(256, np.int64),
    )
    for of_rows, slot_rows in parts:
        count_slots(of_rows, joined(slot_rows), steps.gaps, steps.ends, steps.values)
    return steps


@inner_kernel
def table_bits(entries: int) -> int:
    """What a table of so many entries takes in a matrix block."""
    return 8 * padded_entries(entries)
