"""Functions of real numbers: what stands between a DEQUANTIZE and a QUANTIZE amid a model.

Where the integers around one are int8, a front end makes all three a `table.ViaReal`.
"""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.quantisation import no_parameters
from npu.model.real import FUNCTIONS
from npu.model.references import Operand, Operator, Result
from npu.model.rules import require, same_shapes


@dataclass(frozen=True)
class RealFunction(Operator):
    """`function`, one of `npu.model.real.FUNCTIONS`, of every float32."""

    input: Operand
    output: Result
    function: str


def verify(graph: Graph, op: RealFunction) -> None:
    """float32, and as many of them."""
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    require(
        source.dtype == output.dtype == "float32",
        f"it must go from float32 to float32, not from {source.dtype} to {output.dtype}",
    )
    same_shapes(source, output)
    known = ", ".join(FUNCTIONS)
    require(op.function in FUNCTIONS, f"its function must be one of {known}, not {op.function!r}")


RULES = {RealFunction: verify}
PARAMETERS = {RealFunction: no_parameters}
