"""A table that a model picks from by the value of an int8 becomes one operator.

QUANTIZE of an int8 to int32 with the same scale and a zero point 128 further on gives 0 to 255;
GATHER of a constant of 256 int8 by that is a function of the int8, whatever it is.
"""

from collections import Counter
from collections.abc import Sequence

from tflite.TensorType import TensorType

from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor, contents, graph_tensor
from npu.model.operators.gather import Gather
from npu.model.operators.retype import Requantize
from npu.model.operators.table import TABLE_SIZE, Lookup
from npu.model.references import Operator, operator_inputs, operator_outputs

_BELOW = 128


def with_lookups(
    source: Source, operators: Sequence[Operator], outputs: Sequence[int], tensors: list[RawTensor]
) -> list[Operator]:
    """The same operators, each such pair as one, in place of its GATHER.

    Parameters
    ----------
    operators : in order, by the tensors of the file; `outputs` are the model's.
    """
    made = {index: op for op in operators for index in operator_outputs(op)}
    joined = [_joined(source, op, made, tensors) for op in operators]
    read = Counter(outputs)
    kept: list[Operator] = []
    for op in reversed(joined):
        of_indices = isinstance(op, Requantize) and _makes_indices(source, op, tensors)
        if of_indices and not any(read[index] for index in operator_outputs(op)):
            continue
        read.update(operator_inputs(op))
        kept.append(op)
    return kept[::-1]


def _joined(
    source: Source, op: Operator, made: dict[int, Operator], tensors: list[RawTensor]
) -> Operator:
    """A GATHER behind a QUANTIZE that gives its indices as both; another operator as it is."""
    if not isinstance(op, Gather):
        return op
    table, indices = tensors[op.table], made.get(op.indices)
    plain = table.is_constant and table.shape == (TABLE_SIZE,) and table.type == TensorType.INT8
    if not plain or not isinstance(indices, Requantize):
        return op
    if not _makes_indices(source, indices, tensors):
        return op
    data = contents(source, table)
    return Lookup(op.name, indices.input, op.output, data.tobytes())


def _makes_indices(source: Source, op: Requantize, tensors: list[RawTensor]) -> bool:
    """Whether it gives q + 128 of every int8 q."""
    types = tensors[op.input].type, tensors[op.output].type
    if types != (TensorType.INT8, TensorType.INT32):
        return False
    place = source.place
    before, behind = (
        graph_tensor(source, i, tensors[i]).quantization for i in (op.input, op.output)
    )
    source.place = place
    return (
        before is not None
        and behind is not None
        and before.scale.shape == behind.scale.shape == (1,)
        and before.scale[0] == behind.scale[0]
        and behind.zero_point == before.zero_point + _BELOW
    )
