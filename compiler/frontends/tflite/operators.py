"""Operators of a file: their sites, and which of their constraints they break."""

from typing import Any

from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions

from compiler.frontends.tflite.branches import graphs_of
from compiler.frontends.tflite.decisions import Decisions
from compiler.frontends.tflite.resources import Variables
from compiler.frontends.tflite.site import Constraint, Site, text
from compiler.frontends.tflite.source import Code, Source
from compiler.frontends.tflite.table import SUPPORTED
from compiler.frontends.tflite.tensors import RawTensor
from compiler.frontends.tflite.variables import key_of

_MAX_CUSTOM = 1 << 16
"""Most bytes of a custom operator's options."""


def site_of(
    source: Source,
    table: Any,
    code: Code,
    tensors: list[RawTensor],
    variables: Variables,
    decisions: Decisions | None = None,
) -> Site:
    """An operator's site; the options of one that is not in the table are not read."""
    entry, custom = SUPPORTED.get(code), table.CustomOptionsAsNumpy()
    return Site(
        source,
        source.indices(table.InputsAsNumpy(), len(tensors), optional=True),
        source.indices(table.OutputsAsNumpy(), len(tensors), optional=False),
        None if entry is None else options_of(source, table, entry.options),
        tensors,
        variables,
        Decisions() if decisions is None else decisions,
        b"" if isinstance(custom, int) else custom[:_MAX_CUSTOM].tobytes(),
    )


def options_of(source: Source, table: Any, wanted: tuple[int, Any] | None) -> Any:
    """An operator's options; None where it says nothing.

    wanted : their kind and class in the schema, None where none are read

    Raises ModelError where they are of another kind.
    """
    if wanted is None or table.BuiltinOptionsType() == BuiltinOptions.NONE:
        return None
    kind, options_class = wanted
    if table.BuiltinOptionsType() != kind:
        raise source.damaged(f"its options must be of kind {kind}")
    union = table.BuiltinOptions()
    if union is None:
        return None
    options = options_class()
    options.Init(union.Bytes, union.Pos)
    return options


def refusal(constraints: tuple[Constraint, ...], site: Site) -> str | None:
    """The first constraint that a supported operator does not fulfil."""
    for constraint in constraints:
        if not constraint(site):
            return text(constraint)
    return None


def initialisations(source: Source) -> list[int]:
    """The subgraphs that the open one calls once, in order."""
    found = []
    for i in source.operators():
        code, name, table = source.operator(i)
        if code == BuiltinOperator.CALL_ONCE:
            source.place = name
            options = options_of(source, table, SUPPORTED[code].options)
            number = -1 if options is None else options.InitSubgraphIndex()
            if not 0 <= number < source.model.SubgraphsLength():
                raise source.damaged(f"there is no subgraph {number} to call")
            found.append(number)
    return list(dict.fromkeys(found))


def ways_from(source: Source, main: int) -> list[int]:
    """The subgraphs that IFs lead to from one, and from those. Raises ModelError for missing ones.

    Which subgraph is open is another one then.
    """
    found, left = {main}, [main]
    while left:
        source.turn_to(left.pop())
        for i in source.operators():
            code, name, table = source.operator(i)
            if code != BuiltinOperator.IF:
                continue
            source.place = name
            options = options_of(source, table, SUPPORTED[code].options)
            new = {*graphs_of(source, options)} - found
            found |= new
            left += sorted(new)
    return sorted(found - {main})


def find_variables(source: Source, tensors: list[RawTensor], variables: Variables) -> None:
    """Note the first value that the open subgraph assigns to each variable not known yet."""
    handles = {}
    for i in source.operators():
        code, _, table = source.operator(i)
        if code not in (BuiltinOperator.VAR_HANDLE, BuiltinOperator.ASSIGN_VARIABLE):
            continue
        site = site_of(source, table, code, tensors, variables)
        if code == BuiltinOperator.VAR_HANDLE and site.options is not None and site.outputs:
            handles[site.outputs[0]] = key_of(site)
        elif site.given(0, 1) and site.inputs[0] in handles:
            variables.kinds.setdefault(handles[site.inputs[0]], site.input(1))
