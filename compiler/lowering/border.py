"""Borders between graphs: one's output in the quantisation that another wants."""

from dataclasses import replace

from compiler.lowering.ir import Buffer, Vector
from compiler.lowering.rescale import rescale_fields
from compiler.lowering.site import GraphLowering
from npu.model.border import crossing
from npu.model.graph import Tensor
from npu.model.layer import Layer


def cross_border(lowering: GraphLowering, index: int, target: Tensor, where: str) -> Buffer:
    """The tensor in the quantisation of a graph's input, by TFLM's QUANTIZE if it differs."""
    source = lowering.buffer(index)
    rescale = crossing(lowering.graph.tensors[index], target, where)
    if rescale is None:
        return source
    dst = replace(source, name=f"{where}: requantised", persistent=False, address=-1)
    lowering.buffers.append(dst)
    fields = rescale_fields(rescale)
    lowering.segment.add(
        Vector("VRESCALE", source.n, dst.whole(), source.whole(), fields=fields),
        Layer(lowering.segment.name, where),
    )
    return dst
