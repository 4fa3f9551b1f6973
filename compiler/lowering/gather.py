"""Rows of a constant table: each is loaded from external memory, by an index in a register."""

import numpy as np

from compiler.lowering.host import host_input
from compiler.lowering.ir import GatherRow, LoadInput, Vector
from compiler.lowering.registers import INDEX
from compiler.lowering.site import GraphLowering
from npu.model.operators.gather import Gather


def lower(site: GraphLowering, op: Gather, params: None) -> None:
    """A load per index. The chip's own index serves one, others come from the host."""
    table = site.constant(op.table)
    if op.axis or op.batch_dims or table.ndim != 2 or table.dtype != np.int8:
        raise site.unsupported("the chip gathers whole rows of a constant int8 matrix")
    dst = site.new(op.output)
    width = table.shape[1]
    count = site.graph.tensors[op.indices].size
    if site.index_register is not None and count == 1:
        site.add(GatherRow(table, site.index_register, dst.whole()))
        return
    if op.indices not in site.graph.inputs:
        raise site.unsupported("indices must be an input of the model")
    key = host_input(site.segment.name, op.indices)
    # What is loaded begins on a bus word, and is whole bus words.
    scratch = None
    if count > 1 and width % site.params.bus_bytes:
        scratch = site.new_buffer("gathered row", width, dst.element)
    for index in range(count):
        row = dst.part(index * width, width)
        site.add(LoadInput(key, rd=INDEX, element=index))
        if scratch is None:
            site.add(GatherRow(table, INDEX, row))
            continue
        site.add(GatherRow(table, INDEX, scratch.whole()))
        site.add(Vector("VCOPY", width, row, scratch.whole()))


LOWER = {Gather: lower}
