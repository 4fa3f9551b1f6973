"""Other types: real numbers are the host's, who has integers for them in external memory."""

from compiler.lowering.host import host_input
from compiler.lowering.ir import LoadInput
from compiler.lowering.site import NO_COMMAND, GraphLowering
from npu.model.operators.retype import FromReal, RealParams, Requantize, ToReal
from npu.model.references import operator_inputs


def lower_from_real(site: GraphLowering, op: FromReal, params: RealParams) -> None:
    """The host writes what this makes of an input."""
    if op.input not in site.graph.inputs or _readers(site, op.input) != 1:
        raise site.unsupported("it must be all that reads a real input of the model")
    buffer = site.new(op.output)
    site.reals[op.input] = op.output
    site.add(LoadInput(host_input(site.segment.name, op.input), buffer))


def lower_to_real(site: GraphLowering, op: ToReal, params: RealParams) -> None:
    """The host makes this of what it reads."""
    if _readers(site, op.output):
        raise site.unsupported("the chip has no real numbers; they must be an output of the model")
    site.reals[op.output] = op.input
    site.place(op.output, site.buffer(op.input))


def _readers(site: GraphLowering, index: int) -> int:
    """Operators that read a tensor; the graph's outputs are one more."""
    readers = sum(index in operator_inputs(op) for op in site.graph.operators)
    is_both = index in site.graph.inputs and index in site.graph.outputs
    return readers + is_both


LOWER = {FromReal: lower_from_real, ToReal: lower_to_real}
REFUSED = {Requantize: NO_COMMAND}
