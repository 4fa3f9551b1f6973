"""Functions of one int8, by a table of all their values."""

import numpy as np

from kernels.engines.program import PROGRAMS, TABLE, Program
from kernels.values import Step, Values
from npu.model.operators.table import PARAMETERS, Function


def look_up(table: np.ndarray, source: np.ndarray, output: np.ndarray) -> None:
    """output[k] = table[source[k] + 128], all flat int8."""
    # The index wraps as an int8 read as a byte does, so no wider copy is made.
    np.take(table, source.view(np.uint8) ^ 0x80, out=output)


def by_table(values: Values, source: int, output: int, table: np.ndarray) -> Step:
    """A tensor through a table of (256,) int8, indexed by q + 128."""
    read, written = values.flat(source), values.flat(output)
    if PROGRAMS:
        own = np.array(table, np.int8)
        return Program([[TABLE, read.size, own, read, written]])
    return lambda: look_up(table, read, written)


def prepare(values: Values, op: Function, table: np.ndarray) -> Step:
    """A function of every element."""
    return by_table(values, op.input, op.output, table)


PREPARE = dict.fromkeys(PARAMETERS, prepare)
