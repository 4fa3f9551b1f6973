"""Operators of a file: their sites, and which of their constraints they break."""

from typing import Any

from tflite.BuiltinOptions import BuiltinOptions

from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.site import Constraint, Site, text
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.table import SUPPORTED
from compiler.frontends.tflite.tensors import RawTensor


def site_of(source: Source, table: Any, code: int, tensors: list[RawTensor]) -> Site:
    """An operator's site; the options of one that is not in the table are not read."""
    entry = SUPPORTED.get(code)
    return Site(
        source,
        source.indices(table.InputsAsNumpy(), len(tensors), optional=True),
        source.indices(table.OutputsAsNumpy(), len(tensors), optional=False),
        None if entry is None else _options(source, table, entry),
        tensors,
    )


def _options(source: Source, table: Any, entry: Entry) -> Any:
    if entry.options is None or table.BuiltinOptionsType() == BuiltinOptions.NONE:
        return None
    kind, options_class = entry.options
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
