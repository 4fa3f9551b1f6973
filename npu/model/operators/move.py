"""Elements that stay what they are, elsewhere or under another shape."""

from dataclasses import dataclass

from npu.model.graph import Graph
from npu.model.quantisation import no_parameters
from npu.model.references import Operand, Operator, Result
from npu.model.rules import require


@dataclass(frozen=True)
class Reshape(Operator):
    """The same elements in the same order under another shape."""

    input: Operand
    output: Result


def verify(graph: Graph, op: Reshape) -> None:
    """As many elements of the same meaning."""
    source, output = graph.tensors[op.input], graph.tensors[op.output]
    require(
        source.dtype == output.dtype,
        f"its types must be equal, not {source.dtype} and {output.dtype}",
    )
    require(
        source.size == output.size,
        f"its shapes must hold equally many elements, not {list(source.shape)} and "
        f"{list(output.shape)}",
    )
    require(
        source.quantization is output.quantization is None
        or (source.quantization is not None and source.quantization.same_as(output.quantization)),
        "its input and its output must be quantised alike",
    )


RULES = {Reshape: verify}
PARAMETERS = {Reshape: no_parameters}
