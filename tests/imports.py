"""What imports what: the imports of a module, and of the project's rooms."""

import ast
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("npu", "kernels", "compiler", "rtl", "reports")
# Packages large enough to be drawn by their folders.
SPLIT = ("npu", "compiler", "rtl")


def imported(source: str, package: str = "") -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import of a module, inside functions too.

    `from a import b` gives `a` and `a.b`, since `b` may be a module. `package` is the package of
    the module, to resolve relative imports.
    """
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                for alias in node.names:
                    yield node.lineno, alias.name
            case ast.ImportFrom():
                base = node.module or ""
                if node.level:
                    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*parents, *([base] if base else [])])
                yield node.lineno, base
                for alias in node.names:
                    yield node.lineno, f"{base}.{alias.name}"
            case ast.Call(
                func=ast.Attribute(attr="import_module")
                | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name


def files() -> list[Path]:
    """The files of the repository, relative: those that git knows or would take."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True)
        names = [Path(name) for name in done.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):  # no git, or an unpacked archive
        names = walked()
    return sorted(name for name in names if (ROOT / name).is_file())


def walked() -> list[Path]:
    """The files below the root but those that .gitignore names."""
    ignored = [".git", *(ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    names = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
    return [
        name
        for name in names
        if not any(fnmatch(part, i.rstrip("/")) for part in name.parts for i in ignored)
    ]


def modules(*folders: str) -> list[Path]:
    """The Python files below some top-level folders, relative."""
    return [f for f in files() if f.suffix == ".py" and f.parts[0] in folders]


def read(path: Path) -> str:
    """The source of a module named by `modules`."""
    return (ROOT / path).read_text(encoding="utf-8")


def room(path: Path) -> str:
    """The room that a module is in: a folder of a package that has folders, or the package."""
    depth = 2 if path.parts[0] in SPLIT and len(path.parts) > 2 else 1
    return "/".join(path.parts[:depth])


def edges() -> set[tuple[str, str]]:
    """(room, room that it imports from), without the modules that every room may use."""
    rooms = {path: room(path) for path in modules(*PACKAGES)}
    of_module = {".".join(path.with_suffix("").parts): name for path, name in rooms.items()}
    found = set()
    for path, own in rooms.items():
        for _, name in imported(read(path), package=".".join(path.parts[:-1])):
            other = of_module.get(name) or of_module.get(f"{name}.__init__")
            # The flat modules of npu and its roof are no room of their own.
            if other not in (None, own, "npu"):
                found.add((own, str(other)))
    return found


def reduced(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The edges that no longer way stands for. Of a graph without circles."""
    return {
        (a, b)
        for a, b in pairs
        if not any((a, c) in pairs and b in reached(c, pairs) for _, c in pairs if c != b)
    }


def reached(start: str, pairs: set[tuple[str, str]]) -> set[str]:
    """What can be reached from a node, itself only over a circle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        new = {b for a, b in pairs if a == node} - found
        found |= new
        waiting += new
    return found
