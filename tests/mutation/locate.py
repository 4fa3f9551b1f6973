"""Where a fault stands: by the name of what holds it and by its code, not by file or layout."""

import ast
from collections.abc import Iterator
from pathlib import Path

Code = list[ast.expr] | list[ast.stmt]
"""An expression, or statements that follow one another."""


def unit_of(rtl: Path, unit: str) -> Path:
    """The file below rtl/ that defines a class or function of this name, at its top.

    unit : its name, with the module's before it where two have the same. Raises ValueError unless
    there is one.
    """
    module, _, name = unit.rpartition(".")
    found = []
    for path in sorted(rtl.rglob(f"{module or '*'}.py")):
        text = path.read_text(encoding="utf-8")
        # To parse every file for every fault would take minutes.
        if f" {name}" in text and _definition(text, name) is not None:
            found.append(path)
    if len(found) != 1:
        raise ValueError(f"rtl/ must define {unit!r} once, not {len(found)} times")
    return found[0]


def with_fault(text: str, unit: str, old: str, new: str) -> str:
    """The source of a module in which the code `old` of a unit is `new`.

    Raises ValueError unless the unit holds `old` once.
    """
    definition = _definition(text, unit.rpartition(".")[2])
    found = [] if definition is None else places(definition, old)
    if len(found) != 1:
        raise ValueError(f"{unit} must hold {old!r} once, not {len(found)} times")
    return _replaced(text, found[0], new)


def places(unit: ast.AST, code: str) -> list[Code]:
    """Where this code stands in a unit, however it is laid out."""
    wanted = ast.parse(code).body
    if len(wanted) == 1 and isinstance(wanted[0], ast.Expr):
        shape = ast.dump(wanted[0].value)
        nodes = (node for node in ast.walk(unit) if isinstance(node, ast.expr))
        return [[node] for node in nodes if ast.dump(node) == shape]
    shapes = [ast.dump(node) for node in wanted]
    n = len(shapes)
    return [
        block[at : at + n]
        for block in _blocks(unit)
        for at in range(len(block) - n + 1)
        if [ast.dump(node) for node in block[at : at + n]] == shapes
    ]


def _definition(text: str, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    return None


def _blocks(unit: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(unit):
        for field in ("body", "orelse"):
            if isinstance(block := getattr(node, field, None), list):
                yield block


def _replaced(text: str, code: Code, new: str) -> str:
    lines = text.splitlines(keepends=True)
    first, last = code[0], code[-1]
    assert last.end_lineno is not None and last.end_col_offset is not None
    # Columns count bytes.
    before = lines[first.lineno - 1].encode()[: first.col_offset].decode()
    behind = lines[last.end_lineno - 1].encode()[last.end_col_offset :].decode()
    indent = " " * first.col_offset if isinstance(first, ast.stmt) else ""
    put = f"\n{indent}".join(new.splitlines())
    return "".join([*lines[: first.lineno - 1], before, put, behind, *lines[last.end_lineno :]])
