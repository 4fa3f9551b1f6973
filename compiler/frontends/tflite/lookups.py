"""A table that a model picks from by the value of an int8 becomes one operator.

What `compiler.quantise.rules_tables` writes: CAST of an int8 to int32 and ADD of 128 give 0 to 255,
and GATHER of a constant of 256 int8 by that is a function of the int8, whatever it is. QUANTIZE to
int32 with the same scale and a zero point 128 further on gives the same indices: files from before
have it in place of CAST and ADD.
"""

from collections.abc import Sequence

from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.GatherOptions import GatherOptions
from tflite.TensorType import TensorType

from compiler.frontends.tflite.operators import options_of
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor, contents, graph_tensor
from compiler.frontends.tflite.written import Written, activation_of, makers
from npu.model.operators.table import FIRST_ENTRY, TABLE_SIZE, Lookup
from npu.model.references import Operator

_GATHER = (BuiltinOptions.GatherOptions, GatherOptions)


def lookups(
    source: Source, operators: Sequence[Written], tensors: Sequence[RawTensor]
) -> tuple[dict[int, Operator], set[int]]:
    """The tables of the open subgraph, by their GATHER, and the operators that make indices.

    Raises ModelError for contents that cannot be.
    """
    search = _Indices(source, operators, tensors)
    found: dict[int, Operator] = {}
    inside: set[int] = set()
    for at, op in enumerate(operators):
        if op.code != BuiltinOperator.GATHER or not _picks_from_table(source, op, tensors):
            continue
        by = search.of(op.inputs[1])
        if by is not None:
            value, parts = by
            source.place = op.name
            data = contents(source, tensors[op.inputs[0]]).tobytes()
            found[at] = Lookup(op.name, value, op.outputs[0], data)
            inside |= parts
    return found, inside


def _picks_from_table(source: Source, op: Written, tensors: Sequence[RawTensor]) -> bool:
    if (len(op.inputs), len(op.outputs)) != (2, 1) or min(op.inputs) < 0:
        return False
    table = tensors[op.inputs[0]]
    if (
        not table.is_constant
        or table.is_sparse
        or table.type != TensorType.INT8
        or table.shape != (TABLE_SIZE,)
    ):
        return False
    source.place = op.name
    options = options_of(source, op.table, _GATHER)
    # One axis may be counted from the end, too.
    return options is None or (options.Axis() in (0, -1) and options.BatchDims() == 0)


class _Indices:
    """From indices back to the int8 that they are of."""

    def __init__(
        self, source: Source, operators: Sequence[Written], tensors: Sequence[RawTensor]
    ) -> None:
        self._source, self._all, self._tensors = source, operators, tensors
        self._made = makers(operators)

    def of(self, tensor: int) -> tuple[int, set[int]] | None:
        """The int8, and the operators that make of it how far from the lowest one it is.

        None where a tensor is nothing of the kind.
        """
        at = self._made.get(tensor)
        if (
            at is None
            or len(self._all[at].outputs) != 1
            or min(self._all[at].inputs, default=-1) < 0
        ):
            return None
        op = self._all[at]
        if op.code == BuiltinOperator.QUANTIZE and len(op.inputs) == 1:
            value = op.inputs[0]
            return (value, {at}) if self._shifts(value, tensor) else None
        if op.code != BuiltinOperator.ADD or len(op.inputs) != 2:
            return None
        for number, other in (op.inputs, op.inputs[::-1]):
            before = self._made.get(number)
            if before is not None and self._is_offset(other) and self._widens(before, tensor):
                if activation_of(self._source, op):
                    return None
                return self._all[before].inputs[0], {before, at}
        return None

    def _shifts(self, value: int, indices: int) -> bool:
        """Whether only the zero point of an int8 changes, by the place of 0 in a table."""
        if not self._is_int8_as_int32(value, indices):
            return False
        place = self._source.place
        before, behind = (
            graph_tensor(self._source, i, self._tensors[i]).quantization for i in (value, indices)
        )
        self._source.place = place
        return (
            before is not None
            and behind is not None
            and before.scale.shape == behind.scale.shape == (1,)
            and before.scale[0] == behind.scale[0]
            and behind.zero_point == before.zero_point - FIRST_ENTRY
        )

    def _is_offset(self, tensor: int) -> bool:
        """Whether it is the one number that makes an index of an int8."""
        raw = self._tensors[tensor]
        if not raw.is_constant or raw.type != TensorType.INT32 or set(raw.shape) - {1}:
            return False
        return int(contents(self._source, raw).reshape(-1)[0]) == -FIRST_ENTRY

    def _widens(self, at: int, indices: int) -> bool:
        """Whether an operator is a CAST of an int8, of the shape of the indices."""
        op = self._all[at]
        return (
            op.code == BuiltinOperator.CAST
            and (len(op.inputs), len(op.outputs)) == (1, 1)
            and op.inputs[0] >= 0
            and self._is_int8_as_int32(op.inputs[0], op.outputs[0])
            and self._is_int8_as_int32(op.inputs[0], indices)
        )

    def _is_int8_as_int32(self, value: int, integers: int) -> bool:
        before, behind = self._tensors[value], self._tensors[integers]
        return (
            (before.type, behind.type) == (TensorType.INT8, TensorType.INT32)
            and before.shape == behind.shape
            and not before.is_constant
        )
