"""Resource variables of a float model become states; a CALL_ONCE says what they begin with."""

from typing import Any

import numpy as np
from tflite.BuiltinOperator import BuiltinOperator

from compiler.floats.graph import Array
from compiler.frontends.tflite.operators import initialisations
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import raw_tensors
from compiler.frontends.tflite_float.constants import real_contents
from compiler.frontends.tflite_float.site import Rule, Site
from npu.errors import UnsupportedError

_MOST_INITIALISATIONS = 8


def first_values(source: Source) -> dict[str, Array]:
    """What the variables of a model begin with, by name, as subgraphs that run once assign it.

    Raises UnsupportedError where that is not a constant.
    """
    once = initialisations(source)
    if len(once) > _MOST_INITIALISATIONS:
        raise source.damaged(f"it initialises in {len(once)} subgraphs")
    found: dict[str, Array] = {}
    for number in once:
        source.turn_to(number, f"subgraph {number}, ")
        raw, handles = raw_tensors(source), {}
        for i in source.operators():
            code, name, table = source.operator(i)
            inputs = source.indices(table.InputsAsNumpy(), len(raw), optional=True)
            outputs = source.indices(table.OutputsAsNumpy(), len(raw), optional=False)
            if code == BuiltinOperator.VAR_HANDLE:
                handles[outputs[0]] = _key(table, source)
            elif code == BuiltinOperator.ASSIGN_VARIABLE and raw[inputs[1]].is_constant:
                found[handles[inputs[0]]] = real_contents(source, raw[inputs[1]])
            else:
                raise UnsupportedError(
                    f"{source.name}: {name}: where variables are initialised, constants are "
                    "assigned and nothing else"
                )
    return found


def _key(table: Any, source: Source) -> str:
    from tflite.VarHandleOptions import VarHandleOptions

    stored = table.BuiltinOptions()
    if stored is None:
        raise source.damaged("its variable has no name")
    made = VarHandleOptions()
    made.Init(stored.Bytes, stored.Pos)
    parts = [
        part.decode("utf-8", "replace") for part in (made.Container(), made.SharedName()) if part
    ]
    return "/".join(parts)


def _var_handle(site: Site) -> None:
    site.written.handles[site.outputs[0]] = _key(site.table, site.written.source)


def _variable(site: Site, index: int) -> str:
    """The name of the variable behind a handle; the first to ask makes it a state.

    index : of the tensor that is read or assigned, which has its shape
    """
    written = site.written
    key = written.handles.get(site.inputs[0])
    if key is None:
        raise site.refuse("its variable must come from a VAR_HANDLE of the same subgraph")
    if key not in written.variables:
        first = written.initial.get(key)
        if first is None:
            first = np.zeros(written.raw[index].shape, np.float32)
        if first.dtype.kind != "f":
            raise site.refuse(f"its variable {key!r} is of {first.dtype}; real numbers are kept")
        written.initial[key] = first
        written.variables[key] = written.states[key] = key
    return key


def _read_variable(site: Site) -> None:
    key = _variable(site, site.outputs[0])
    site.emit("Identity", [site.written.variables[key]], site.output)


def _assign_variable(site: Site) -> None:
    key = _variable(site, site.inputs[1])
    site.written.variables[key] = site.written.states[key] = site.input(1)


def _call_once(site: Site) -> None:
    """Its subgraph was read before this one."""


RULES: dict[str, Rule] = {
    "VAR_HANDLE": _var_handle,
    "READ_VARIABLE": _read_variable,
    "ASSIGN_VARIABLE": _assign_variable,
    "CALL_ONCE": _call_once,
}
