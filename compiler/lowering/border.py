"""Borders between graphs: one's output in the quantisation that another wants."""

from dataclasses import replace

from compiler.ir import Buffer, Vector
from compiler.lowering.rescale import rescale_fields
from compiler.lowering.site import GraphLowering
from npu.model.graph import Quantization
from npu.model.layer import Layer
from npu.model.operators.rescale import requantisation


def cross_border(lowering: GraphLowering, index: int, wanted: Quantization, where: str) -> Buffer:
    """The tensor under another int8 quantisation, by TFLM's QUANTIZE if it differs."""
    source = lowering.buffer(index)
    own = lowering.graph.tensors[index].quantization
    assert own is not None
    if own.same_as(wanted):
        return source
    dst = replace(source, name=f"{where}: requantised", persistent=False, address=-1)
    lowering.buffers.append(dst)
    fields = rescale_fields(requantisation(own, wanted, where))
    lowering.segment.add(
        Vector("VRESCALE", source.whole().n, dst.whole(), source.whole(), fields=fields),
        Layer(lowering.segment.name, where),
    )
    return dst
