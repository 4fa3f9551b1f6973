"""Borders between graphs: one's output in the quantisation that another wants."""

from dataclasses import replace

from compiler.lowering.ir import Buffer, Segment, Travel, Vector
from compiler.lowering.rescale import rescale_fields
from compiler.lowering.site import GraphLowering
from npu.chip.params import ChipParams
from npu.model.border import crossing
from npu.model.graph import Tensor
from npu.model.layer import Layer


def cross_border(
    lowering: GraphLowering, index: int, target: Tensor, where: str, frames: int = 1
) -> Buffer:
    """The tensor in the quantisation of a graph's input, by TFLM's QUANTIZE if it differs.

    frames : times that the tensor holds what the input takes.
    """
    source = lowering.buffer(index)
    rescale = crossing(lowering.graph.tensors[index], target, where, frames)
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


def one_frame(
    source: Buffer, frames: int, where: str, target: str, params: ChipParams
) -> tuple[Buffer, Segment]:
    """A buffer for one of several int8 frames that cross, and a segment that copies one into it:
    that which register BASES["a"] says, in bytes behind the first. It is a layer of graph `target`.
    """
    n = source.n // frames
    frame = Buffer(f"{where}: frame", n, source.element, params.align(n), persistent=True)
    segment = Segment(where)
    copied = Vector("VCOPY", n, frame.whole(), source.part(0, n), travel={"a": Travel(n, frames)})
    segment.add(copied, Layer(target, frame.name))
    return frame, segment
