"""How large things may get, and the exceptions with their reasons."""

import ast
from collections.abc import Iterator

import pytest

from tests.imports import PACKAGES, modules, read

FILE_LINES = 400
FUNCTION_LINES = 80
ELABORATE_LINES = 120
KERNEL_ARGUMENTS = 12
PACKED_LINES = 20
FLAT_MODULES = 7

# What is larger, and why it stays. At most five.
EXCEPTIONS: dict[str, str] = {}


def functions(source: str) -> Iterator[ast.FunctionDef]:
    """Every function of a module, inner ones too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            yield node


def is_kernel(function: ast.FunctionDef) -> bool:
    """Whether numba compiles it: a loop in a kernel may be long, for a call costs there."""
    return any(ast.unparse(mark).endswith("kernel") for mark in function.decorator_list)


def long_functions(source: str) -> list[str]:
    """The functions longer than they may be, with their lines."""
    found = []
    for function in functions(source):
        assert function.end_lineno is not None
        lines = function.end_lineno - function.lineno + 1
        most = ELABORATE_LINES if function.name == "elaborate" else FUNCTION_LINES
        if lines > most and not is_kernel(function):
            found.append(f"{function.name} ({lines} lines)")
    return found


def wide_kernels(source: str) -> list[str]:
    """The kernels with more arguments than a caller can keep apart."""
    return [
        f"{function.name} ({len(function.args.args)} arguments)"
        for function in functions(source)
        if is_kernel(function) and len(function.args.args) > KERNEL_ARGUMENTS
    ]


def packed_lines(source: str) -> set[int]:
    """The lines that pack arguments, `*(a, b)` or `**{...}`, to have several on a line."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Starred(value=ast.Tuple() | ast.List()):
                found.add(node.lineno)
            case ast.Call():
                found |= {k.lineno for k in node.keywords if k.arg is None and _is_dict(k.value)}
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                found |= {value.lineno for key, value in pairs if key is None and _is_dict(value)}
    return found


def _is_dict(node: ast.AST) -> bool:
    return isinstance(node, ast.Dict)


def test_files_are_short():
    found = []
    for path in modules(*PACKAGES):
        if (lines := read(path).count("\n")) > FILE_LINES:
            found.append(f"{path.as_posix()} ({lines} lines)")
    assert not [name for name in found if name.partition(" ")[0] not in EXCEPTIONS]


@pytest.mark.parametrize("rule", [long_functions, wide_kernels])
def test_functions_are_short_and_take_few_arguments(rule):
    found = []
    for path in modules(*PACKAGES):
        found += [f"{path.as_posix()}:{name}" for name in rule(read(path))]
    assert not [name for name in found if name.partition(" ")[0] not in EXCEPTIONS]


def test_arguments_are_not_packed_to_fill_lines():
    found = []
    for path in modules(*PACKAGES, "tests"):
        found += [f"{path.as_posix()}:{line}" for line in sorted(packed_lines(read(path)))]
    assert len(found) <= PACKED_LINES, "\n".join(found)


def test_what_stands_flat_in_npu_is_little():
    flat = [path.name for path in modules("npu") if len(path.parts) == 2]
    assert len(set(flat) - {"__init__.py"}) <= FLAT_MODULES


def test_exceptions_are_few_and_needed():
    assert len(EXCEPTIONS) <= 5 and all(EXCEPTIONS.values())
    for name in EXCEPTIONS:
        path, _, function = name.partition(":")
        source = next(read(module) for module in modules(*PACKAGES) if module.as_posix() == path)
        found = [
            text.partition(" ")[0]
            for rule in (long_functions, wide_kernels)
            for text in rule(source)
        ]
        assert function in found if function else source.count("\n") > FILE_LINES


LONG = "def f():\n" + "    a = 1\n" * 80
WIDE = f"@kernel\ndef f({', '.join(f'a{i}' for i in range(13))}):\n    return 0\n"


@pytest.mark.parametrize(
    ("rule", "source", "found"),
    [
        (long_functions, LONG, 1),
        (long_functions, LONG.replace("f()", "elaborate(self)"), 0),
        (long_functions, LONG.replace("f()", "elaborate(self)") + "    b = 1\n" * 40, 1),
        (long_functions, f"@kernel\n{LONG}", 0),
        (long_functions, f"class A:\n{LONG.replace('def', ' def')}", 1),
        (wide_kernels, WIDE, 1),
        (wide_kernels, WIDE.replace("@kernel", "@plain"), 0),
        (packed_lines, "f(*(a, b),\n  *(c, d))", 2),
        (packed_lines, "f(**{'a': 1})", 1),
        (packed_lines, "{**{'a': 1}, **b}", 1),
        (packed_lines, "[*(1, 2), *c]", 1),
        (packed_lines, "f(*args, **fields)", 0),
    ],
)
def test_what_is_too_large_is_seen(rule, source, found):
    assert len(rule(source)) == found
