"""What is left to run of a subgraph's operators, with those of its branches."""

from tflite.BuiltinOperator import BuiltinOperator

from compiler.frontends.tflite.decided import reason as reason_of
from compiler.frontends.tflite.fold import fold
from compiler.frontends.tflite.joined import joined
from compiler.frontends.tflite.opened import Opened
from compiler.frontends.tflite.operators import refusal, site_of
from compiler.frontends.tflite.source import Source, kind_name
from compiler.frontends.tflite.table import SUPPORTED
from compiler.frontends.tflite.ways import Ways
from npu.errors import UnsupportedError
from npu.model.references import Operator


def steps(source: Source, opened: Opened) -> list[Operator]:
    """The operators of the open subgraph that are left to run, on its tensors.

    What depends on constants only is known afterwards. Raises ModelError for what cannot be,
    UnsupportedError for operators or forms that are not in `table.SUPPORTED`.
    """
    ways: Ways

    def read(inner: Opened) -> list[Operator]:
        return _steps(source, inner, ways)

    ways = Ways(source, read)
    return read(opened)


def _steps(source: Source, opened: Opened, ways: Ways) -> list[Operator]:
    made: list[Operator] = []
    found = joined(source, opened.raw)
    for i in source.operators():
        if i in found.within:
            continue
        if (whole := found.at.get(i)) is not None:
            made.append(whole)
            continue
        for op in _operators(source, i, opened, ways):
            if not fold(source, op, opened.raw):
                made.append(op)
    return made


def _operators(source: Source, index: int, opened: Opened, ways: Ways) -> list[Operator]:
    """What one becomes: one, none, or those of both ways of an IF."""
    code, name, table = source.operator(index)
    if (entry := SUPPORTED.get(code)) is None:
        raise UnsupportedError(
            f"{source.name}: operator {index} {kind_name(code)} is not supported: {reason_of(code)}"
        )
    source.place = name
    site = site_of(source, table, code, opened.raw, opened.variables, opened.decisions)
    if (reason := refusal(entry.to_be_read(), site)) is not None:
        found = ", ".join(map(str, site.present()[:4]))
        raise UnsupportedError(
            f"{source.name}: {name} is not supported in this form; "
            f"what is: {reason} (found {found})"
        )
    if code == BuiltinOperator.IF:
        return ways.operators(name, site, opened)
    op = entry.convert(name, site, lambda tensor: tensor)
    return [] if op is None else [op]
