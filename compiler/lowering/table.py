"""Functions of one int8: a VLUT with the table of all their values."""

import numpy as np

from compiler.lowering.site import GraphLowering
from npu.model.operators.table import PARAMETERS, Function


def lower(site: GraphLowering, op: Function, table: np.ndarray) -> None:
    """A VLUT of the whole tensor."""
    site.unary("VLUT", op.input, op.output, table=table)


LOWER = dict.fromkeys(PARAMETERS, lower)
