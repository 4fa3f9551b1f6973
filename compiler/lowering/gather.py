"""Rows of a constant table: each is loaded from external memory, by an index in a register."""

import numpy as np

from compiler.lowering.host import host_input
from compiler.lowering.ir import GatherRow, LoadInput
from compiler.lowering.registers import INDEX
from compiler.lowering.site import GraphLowering
from npu.model.operators.gather import Gather


def lower(site: GraphLowering, op: Gather, params: None) -> None:
    """A load per index. The chip's own index serves one, others come from the host."""
    table = site.constant(op.table)
    if op.axis or op.batch_dims or table.ndim != 2 or table.dtype != np.int8:
        raise site.unsupported("the chip gathers whole rows of a constant int8 matrix")
    dst = site.new(op.output)
    count = site.graph.tensors[op.indices].size
    if site.index_register is not None and count == 1:
        site.add(GatherRow(table, site.index_register, dst.row(0)))
        return
    if op.indices not in site.graph.inputs:
        raise site.unsupported("indices must be an input of the model")
    key = host_input(site.segment.name, op.indices)
    for index in range(count):
        site.add(LoadInput(key, rd=INDEX, element=index))
        site.add(GatherRow(table, INDEX, dst.row(index)))


LOWER = {Gather: lower}
