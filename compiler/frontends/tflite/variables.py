"""Resource variables: states of the graph that operators share, and what they begin with.

A VAR_HANDLE gives a handle to the variable of a name, READ_VARIABLE and ASSIGN_VARIABLE take it,
CALL_ONCE runs a subgraph that assigns what variables begin with. Of a graph only the reads and
assignments are left. Both name the state by the tensor of the first handle to it, which takes type
and shape of the variable.
"""

from dataclasses import replace

import numpy as np

from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.resources import Key
from compiler.frontends.tflite.schema import DTYPES
from compiler.frontends.tflite.site import Site
from compiler.frontends.tflite.source import printable_name
from compiler.frontends.tflite.tensors import RawTensor
from npu.model.graph import MAX_ELEMENTS
from npu.model.operators.variable import AssignVariable, ReadVariable
from npu.model.references import Operator


def has_name(site: Site) -> bool:
    """the variable has a name"""
    return site.options is not None and len(site.inputs) == 0


def has_handle(site: Site) -> bool:
    """its variable comes from a VAR_HANDLE of the same subgraph"""
    return site.given(0) and site.inputs[0] in site.variables.handles


def one_value(site: Site) -> bool:
    """there is one value, of integers, float32 or bool"""
    tensors = [site.input(p) for p in range(1, len(site.inputs))]
    tensors += [site.output(p) for p in range(len(site.outputs))]
    return len(tensors) == 1 and tensors[0].type in DTYPES


def comes_first(site: Site) -> bool:
    """it stands before all that reads or assigns a variable"""
    return not site.variables.used


def key_of(site: Site) -> Key:
    """The variable of a VAR_HANDLE."""
    container, name = site.options.Container() or b"", site.options.SharedName() or b""
    return container.decode("utf-8", "replace"), name.decode("utf-8", "replace")


def handle(name: str, site: Site, tensor: Number) -> None:
    """VAR_HANDLE: the first to a variable stands for it."""
    known, key = site.variables, key_of(site)
    known.handles[site.outputs[0]] = key
    if key in known.homes:
        return
    site.require(key in known.kinds, f"nothing assigns its variable {key[1]!r:.60}")
    known.homes[key] = site.outputs[0]
    site.tensors[site.outputs[0]] = replace(
        known.kinds[key],
        name=printable_name(key[1][:200]),
        is_variable=True,
        is_constant=False,
        known=_first(site, key),
    )


def _first(site: Site, key: Key) -> np.ndarray | None:
    """What a variable begins with; None where that is its zero point everywhere."""
    kind, given = site.variables.kinds[key], site.variables.initial.get(key)
    if given is None:
        return _default(site, kind)
    fits = given.shape == kind.shape and given.dtype == DTYPES[kind.type]
    return None if fits and np.all(given == kind.zero_point) else given


def _default(site: Site, kind: RawTensor) -> np.ndarray | None:
    """What TFLM gives a variable: each byte is the zero point's lowest."""
    if kind.zero_point == 0 or DTYPES[kind.type] == "int8":
        return None
    dtype, n = np.dtype(DTYPES[kind.type]), int(np.prod(kind.shape, dtype=object))
    site.require(0 <= n <= MAX_ELEMENTS, f"its variable has {n} elements")
    lowest = kind.zero_point & 0xFF
    return np.full(n * dtype.itemsize, lowest, np.uint8).view(dtype).reshape(kind.shape)


def read(name: str, site: Site, tensor: Number) -> Operator:
    """READ_VARIABLE."""
    return ReadVariable(name, tensor(_home(site)), tensor(site.outputs[0]))


def assign(name: str, site: Site, tensor: Number) -> Operator:
    """ASSIGN_VARIABLE."""
    return AssignVariable(name, tensor(_home(site)), tensor(site.inputs[1]))


def once(name: str, site: Site, tensor: Number) -> None:
    """CALL_ONCE: its subgraph was read before this one."""


def _home(site: Site) -> int:
    known = site.variables
    known.used = True
    return known.homes[known.handles[site.inputs[0]]]
