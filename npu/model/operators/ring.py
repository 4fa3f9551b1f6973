"""The last inputs of a row of calls, in one tensor."""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result, State
from npu.model.rules import require


@dataclass(frozen=True)
class CircularBuffer(Operator):
    """Appends its input to a buffer, drops what is oldest, and gives the buffer.

    Only every `cycles`-th call goes on behind it; `count` is how many have been since. What a call
    gives that ends here is as it was.
    """

    input: Operand
    buffer: State
    count: State
    output: Result
    cycles: int = 1


def verify(graph: Graph, op: CircularBuffer) -> None:
    """int8, and a whole number of inputs in the buffer."""
    source, buffer, count, output = (
        graph.tensors[i] for i in (op.input, op.buffer, op.count, op.output)
    )
    require(
        source.dtype == buffer.dtype == output.dtype == "int8",
        f"what it holds must be int8, not {source.dtype}, {buffer.dtype} and {output.dtype}",
    )
    require(
        buffer.shape == output.shape and source.size > 0 and buffer.size % source.size == 0,
        f"{list(output.shape)} must hold whole inputs of {list(source.shape)}",
    )
    require(
        count.dtype == "int32" and count.shape == (1,),
        f"its count must be int32 [1], not {count.dtype} {list(count.shape)}",
    )
    require(op.cycles >= 1, f"it must go on every call or less often, not every {op.cycles}-th")


RULES = {CircularBuffer: verify}
PARAMETERS = {CircularBuffer: no_parameters}
