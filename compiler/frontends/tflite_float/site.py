"""An operator of a float model while it is read, and the model of ONNX that it is written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
from tflite.ActivationFunctionType import ActivationFunctionType
from tflite.BuiltinOptions import BuiltinOptions
from tflite.TensorType import TensorType

from compiler.floats.files import library
from compiler.floats.graph import Array
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor
from compiler.frontends.tflite_float.constants import QUANTISED, REALS, real_contents
from npu.errors import UnsupportedError

TO_NCHW, TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(eq=False)
class Written:
    """Nodes of ONNX so far, with constants and the names of values.

    Attributes
    ----------
    raw, names : tensors of the file, and what each is called
    ends : the tensors that are inputs
    known : by tensor, contents that follow from the file
    variables : by resource, the name of what it holds now
    states : what comes back, by the name of what a call finds; `initial` what the first one finds
    clips : magnitudes at which a call clips a value
    """

    source: Source
    raw: list[RawTensor]
    names: list[str]
    ends: tuple[int, ...]
    known: dict[int, Array] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    handles: dict[int, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    initial: dict[str, Array] = field(default_factory=dict)
    clips: dict[str, float] = field(default_factory=dict)
    count: int = 0

    def constant(self, index: int) -> Array | None:
        """What a tensor holds where the file says it."""
        if index not in self.known and self.raw[index].is_constant:
            self.known[index] = real_contents(self.source, self.raw[index])
        return self.known.get(index)

    def value(self, index: int) -> str:
        """The name of a tensor's value."""
        name = self.names[index]
        if name not in self.constants and (data := self.constant(index)) is not None:
            self.constants[name] = data
        return name

    def emit(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        called: str,
        attributes: dict[str, Any],
    ) -> None:
        """A node; attributes that are None are left out."""
        given = {key: value for key, value in attributes.items() if value is not None}
        name = f"{called}/{kind}.{len(self.nodes)}"
        made = library().helper.make_node(kind, list(inputs), list(outputs), name=name, **given)
        self.nodes.append(made)


@dataclass(frozen=True, eq=False)
class Site:
    """One operator.

    Attributes
    ----------
    name : "operator 3 (CONV_2D)"
    inputs, outputs : indices of tensors, -1 for one that is absent
    """

    written: Written
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Any

    def refuse(self, reason: str) -> UnsupportedError:
        """What to raise."""
        return UnsupportedError(f"{self.written.source.name}: {self.name}: {reason}")

    def require_floats(self) -> None:
        """Raise UnsupportedError for an operator that computes in integers of a grid."""
        for index in (*self.inputs, *self.outputs):
            whole = index >= 0 and self.written.raw[index].type in QUANTISED
            if whole and self.written.constant(index) is None:
                raise self.refuse(
                    f"its tensor {self.written.names[index]!r} is {self.written.raw[index]}: a "
                    "model is quantised here as a whole; convert it again in float32"
                )

    def given(self, position: int) -> bool:
        """Whether there is an input at this position."""
        return position < len(self.inputs) and self.inputs[position] >= 0

    def input(self, position: int) -> str:
        """The name of an input's value. Raises UnsupportedError where it is absent."""
        if not self.given(position):
            raise self.refuse(f"its input {position} is missing")
        return self.written.value(self.inputs[position])

    def shape(self, position: int) -> tuple[int, ...]:
        """Of an input, as the file has it."""
        if not self.given(position):
            raise self.refuse(f"its input {position} is missing")
        known = self.written.constant(self.inputs[position])
        return self.written.raw[self.inputs[position]].shape if known is None else known.shape

    def is_real(self, position: int) -> bool:
        """Whether an input is of real numbers."""
        return self.written.raw[self.inputs[position]].type in (*REALS, *QUANTISED)

    def constant(self, position: int, what: str) -> Array:
        """What an input holds. Raises UnsupportedError where a call computes it."""
        data = self.written.constant(self.inputs[position]) if self.given(position) else None
        if data is None:
            raise self.refuse(f"its {what} must be constant")
        return data

    def integers(self, position: int, what: str) -> list[int]:
        """The same, of integers in a row."""
        return [int(v) for v in np.asarray(self.constant(position, what)).reshape(-1)]

    def options(self, kind: str) -> Any:
        """The operator's options, of this class of the schema. Raises ModelError without them."""
        stored = self.table.BuiltinOptions()
        if stored is None or self.table.BuiltinOptionsType() != getattr(BuiltinOptions, kind):
            raise self.written.source.damaged(f"its options must be {kind}")
        made = getattr(import_module(f"tflite.{kind}"), kind)()
        made.Init(stored.Bytes, stored.Pos)
        return made

    @property
    def output(self) -> str:
        return self.written.names[self.outputs[0]]

    def store(self, values: Any, dtype: Any = np.int64) -> str:
        """The name of a new constant."""
        name = f"{self.output}/constant.{len(self.written.constants)}"
        self.written.constants[name] = np.asarray(values, dtype)
        return name

    def emit(
        self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any
    ) -> str:
        """A node with one output. Returns its name."""
        if output is None:
            self.written.count += 1
            output = f"{self.output}/{kind.lower()}.{self.written.count}"
        self.written.emit(kind, inputs, [output], self.name, attributes)
        return output

    def activated(self, activation: int, value: str, output: str | None = None) -> str:
        """What a fused activation makes of a value; that value where there is none."""
        kinds = ActivationFunctionType
        match activation:
            case kinds.NONE:
                return value if output is None else self.emit("Identity", [value], output)
            case kinds.RELU:
                return self.emit("Relu", [value], output)
            case kinds.RELU6:
                return self.clipped(value, 0.0, 6.0, output)
            case kinds.RELU_N1_TO_1:
                return self.clipped(value, -1.0, 1.0, output)
            case kinds.TANH:
                return self.emit("Tanh", [value], output)
        raise self.refuse(f"its fused activation is number {activation} of the schema")

    def clipped(self, value: str, least: float, most: float, output: str | None = None) -> str:
        bounds = [self.store(each, np.float32) for each in (least, most)]
        return self.emit("Clip", [value, *bounds], output)

    def finish(
        self, kind: str, inputs: Sequence[str], activation: int = 0, **attributes: Any
    ) -> None:
        """The node that gives the operator's output, its fused activation behind it."""
        if activation == ActivationFunctionType.NONE:
            self.emit(kind, inputs, self.output, **attributes)
        else:
            self.activated(activation, self.emit(kind, inputs, **attributes), self.output)

    def turned(self, value: str, order: Sequence[int], output: str | None = None) -> str:
        """A value with its axes in another order."""
        return self.emit("Transpose", [value], output, perm=list(order))


Rule = Callable[[Site], None]

ONNX_TYPES = {
    TensorType.FLOAT32: 1,
    TensorType.FLOAT16: 1,
    TensorType.INT32: 6,
    TensorType.INT64: 7,
    TensorType.BOOL: 9,
}
"""Element types of ONNX by those of TFLite; float16 is computed as float32."""
