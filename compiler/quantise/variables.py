"""Resource variables of a model that is written: their handles, and what they begin with."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from compiler.floats.graph import Array
from compiler.quantise.ranges import Grid
from compiler.tflite_writer import ModelSpec, OperatorSpec


class First(NamedTuple):
    """What a variable begins with: real numbers of the variable's shape, and its grid."""

    values: Array
    grid: Grid


def handle(m: ModelSpec, variable: str) -> int:
    """VAR_HANDLE of a variable of a name. Returns the handle's tensor."""
    made = m.tensor((), "resource", name=f"{variable}/handle")
    options = {"Container": "", "SharedName": variable}
    m.operator("VAR_HANDLE", [], [made], ("VarHandleOptions", options))
    return made


def assign(m: ModelSpec, variable: int, value: int) -> None:
    """ASSIGN_VARIABLE of a value to the variable of a handle."""
    m.operator("ASSIGN_VARIABLE", [variable, value], [], ("AssignVariableOptions", {}))


def begin(m: ModelSpec, firsts: Mapping[str, First]) -> None:
    """CALL_ONCE of a subgraph that assigns what variables begin with, by their names.

    TFLM would begin with zero points by itself; LiteRT reads no variable that nobody has assigned.
    """
    if not firsts:
        return
    spec = ModelSpec(name="begin")
    for name, first in firsts.items():
        assign(spec, handle(spec, name), _value(spec, first, f"{name}/initial"))
    m.others.append(spec)
    options = {"InitSubgraphIndex": len(m.others)}
    once = OperatorSpec("CALL_ONCE", [], [], ("CallOnceOptions", options))
    m.operators.insert(0, once)


def _value(spec: ModelSpec, first: First, name: str) -> int:
    """The tensor of a first value: a constant, or one number in all elements."""
    data = first.grid.quantised(first.values)
    steps = {"scale": first.grid.scale, "zero_point": first.grid.zero_point}
    # TFLM's FILL has no int16.
    if first.grid.dtype != "int8" or not data.size or np.any(data != data.reshape(-1)[0]):
        return spec.tensor(data.shape, first.grid.dtype, data=data, name=name, **steps)
    shape = np.array(data.shape, np.int32)
    sizes = spec.tensor(shape.shape, "int32", data=shape, name=f"{name}/shape")
    number = spec.tensor((), data=data.reshape(-1)[0], name=f"{name}/value", **steps)
    filled = spec.tensor(data.shape, name=name, **steps)
    spec.operator("FILL", [sizes, number], [filled], ("FillOptions", {}), version=3)
    return filled
