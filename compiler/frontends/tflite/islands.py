"""Islands of real numbers amid an integer graph become functions of an int8.

The converter has no integer form of some functions: it dequantises, computes in float32, and
quantises again, in every normalisation of Keras. All three together are a table of 256 values.
"""

from collections import Counter
from collections.abc import Sequence

from tflite.TensorType import TensorType

from compiler.frontends.tflite.tensors import RawTensor
from npu.model.operators.real_function import RealFunction
from npu.model.operators.retype import FromReal, ToReal
from npu.model.operators.table import ViaReal
from npu.model.references import Operator, operator_inputs, operator_outputs


def without_islands(
    operators: Sequence[Operator], outputs: Sequence[int], tensors: Sequence[RawTensor]
) -> list[Operator]:
    """The same operators, each function of reals between int8 as one, in place of its last.

    Parameters
    ----------
    operators : in order, by the tensors of the file; `outputs` are the model's.
    """
    made = {index: op for op in operators for index in operator_outputs(op)}
    joined = [_joined(op, made, tensors) for op in operators]
    # What only islands read is not needed any more: from the end, as readers stand behind.
    read = Counter(outputs)
    kept: list[Operator] = []
    for op in reversed(joined):
        spare = isinstance(op, ToReal | RealFunction)
        if spare and op is not None and not any(read[index] for index in operator_outputs(op)):
            continue
        read.update(operator_inputs(op))
        kept.append(op)
    return kept[::-1]


def _joined(op: Operator, made: dict[int, Operator], tensors: Sequence[RawTensor]) -> Operator:
    """A QUANTIZE behind an island as the whole of it; what is none of these, as it is."""
    if not isinstance(op, FromReal) or tensors[op.output].type != TensorType.INT8:
        return op
    function = made.get(op.input)
    if not isinstance(function, RealFunction):
        return op
    begin = made.get(function.input)
    if not isinstance(begin, ToReal) or tensors[begin.input].type != TensorType.INT8:
        return op
    return ViaReal(function.name, begin.input, op.output, function.function)
