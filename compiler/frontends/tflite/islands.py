"""Islands of real numbers amid an integer graph become functions of an int8.

TensorFlow Lite Micro has no integer form of some functions: a model dequantises, computes in
float32, and quantises again, as in every normalisation of Keras. All of it together is a table of
256 values, where one int8 goes in and its other operands are single constants.
"""

from collections.abc import Sequence

import numpy as np
from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType

from compiler.frontends.tflite.source import Source, kind_name
from compiler.frontends.tflite.tensors import RawTensor, contents
from compiler.frontends.tflite.written import Written, activation_of, makers
from npu.model.formula import BINARY, CONSTANT, UNARY, Part
from npu.model.operators.table import ViaReal
from npu.model.references import Operator

_MOST_PARTS = 200
"""Of a formula; a longer one stays as it is written."""


def islands(
    source: Source, operators: Sequence[Written], tensors: Sequence[RawTensor]
) -> tuple[dict[int, Operator], set[int]]:
    """What of the open subgraph's operators is a function of one int8.

    By the operator that quantises again, and with the operators within.
    Raises ModelError for contents that cannot be.
    """
    made = makers(operators)
    found: dict[int, Operator] = {}
    inside: set[int] = set()
    for at, op in enumerate(operators):
        if _quantises(op, tensors):
            walk = _Walk(source, operators, made, tensors, tensors[op.inputs[0]].shape)
            if walk.value(op.inputs[0]) is not None and walk.begin >= 0 and walk.ends_with_part:
                found[at] = ViaReal(op.name, walk.begin, op.outputs[0], tuple(walk.parts))
                inside |= walk.operators
    return found, inside


def _quantises(op: Written, tensors: Sequence[RawTensor]) -> bool:
    if op.code != BuiltinOperator.QUANTIZE or (len(op.inputs), len(op.outputs)) != (1, 1):
        return False
    source, output = op.inputs[0], op.outputs[0]
    return (
        source >= 0
        and tensors[source].type == TensorType.FLOAT32
        and tensors[output].type == TensorType.INT8
        and tensors[source].shape == tensors[output].shape
        and 0 not in tensors[source].shape
    )


class _Walk:
    """From a value back to the one int8 that it is a function of.

    Attributes
    ----------
    begin : that int8; -1 before it is found
    parts, operators : of the formula so far, and of the file that they stand for
    """

    def __init__(
        self,
        source: Source,
        operators: Sequence[Written],
        made: dict[int, int],
        tensors: Sequence[RawTensor],
        shape: tuple[int, ...],
    ) -> None:
        self._source, self._all, self._made = source, operators, made
        self._tensors, self._shape = tensors, shape
        self.begin = -1
        self.parts: list[Part] = []
        self.operators: set[int] = set()
        self._known: dict[int, int] = {}

    @property
    def ends_with_part(self) -> bool:
        """Whether there is more than an int8 and a constant."""
        return bool(self.parts) and self.parts[-1].kind != CONSTANT

    def value(self, tensor: int) -> int | None:
        """Its number in the formula; None where it is no function of one int8 alone."""
        if tensor < 0 or len(self.parts) >= _MOST_PARTS:
            return None
        if tensor not in self._known:
            found = self._found(tensor)
            if found is None:
                return None
            self._known[tensor] = found
        return self._known[tensor]

    def _found(self, tensor: int) -> int | None:
        raw = self._tensors[tensor]
        if raw.type != TensorType.FLOAT32 or raw.is_sparse or raw.is_variable:
            return None
        if raw.is_constant:
            return self._constant(raw)
        at = self._made.get(tensor)
        if at is None or raw.shape != self._shape or len(self._all[at].outputs) != 1:
            return None
        op = self._all[at]
        found = self._begin(op) if op.code == BuiltinOperator.DEQUANTIZE else self._part(op)
        if found is not None:
            self.operators.add(at)
        return found

    def _constant(self, raw: RawTensor) -> int | None:
        if int(np.prod(raw.shape)) != 1:
            return None
        value = float(contents(self._source, raw).reshape(-1)[0])
        if not np.isfinite(value):
            return None
        self.parts.append(Part(CONSTANT, (), value))
        return len(self.parts)

    def _begin(self, op: Written) -> int | None:
        if len(op.inputs) != 1 or op.inputs[0] < 0:
            return None
        raw = self._tensors[op.inputs[0]]
        if raw.type != TensorType.INT8 or raw.shape != self._shape or raw.is_constant:
            return None
        if self.begin not in (-1, op.inputs[0]):
            return None
        self.begin = op.inputs[0]
        return 0

    def _part(self, op: Written) -> int | None:
        kind = kind_name(op.code)
        wanted = 2 if kind in BINARY else 1 if kind in UNARY else -1
        if len(op.inputs) != wanted or activation_of(self._source, op):
            return None
        operands = []
        for tensor in op.inputs:
            # One by one, as each may need parts of its own before this one.
            number = self.value(tensor)
            if number is None:
                return None
            operands.append(number)
        if len(self.parts) >= _MOST_PARTS:
            return None
        self.parts.append(Part(kind, tuple(operands)))
        return len(self.parts)
