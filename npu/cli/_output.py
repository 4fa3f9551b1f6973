"""How the commands write: JSON reports, tables, progress on stderr.

`rich` is imported inside the functions: it would double the time of `npu --help`.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npu.errors import NpuError
from npu.files import require_folder, require_writable, write_atomic
from npu.text import json_text, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STDOUT = "-"

_quiet = False
TABLE_WIDTH = 1000


def be_quiet(quiet: bool) -> None:
    """Whether progress and what is `said` on the way are left out; errors never are."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """As `be_quiet` was told: other processes are told the same."""
    return _quiet


def require_place(*paths: str | Path | None, inputs: Iterable[str | Path | None] = ()) -> None:
    """Before long work: raise NpuError where a result could not be written, or would destroy.

    None and "-" are skipped, as `emit_json` takes them. `inputs` are all files that the command
    reads: none of them may be one of `paths` under any name, and no two of `paths` the same file.
    """
    if paths.count(STDOUT) > 1:
        raise NpuError("cannot write two results to standard output; name a file for one of them")
    read = [path for path in inputs if path is not None]
    written: list[str | Path] = []
    for path in paths:
        if path is None or path == STDOUT:
            continue
        target = require_folder(path)
        require_writable(path, target.parent)
        if target.exists() and not target.is_file():
            continue
        for other in read:
            if _same_file(path, other):
                raise NpuError(f"cannot write {path}: it is the input {other}; name another file")
        for other in written:
            if _same_file(path, other):
                raise NpuError(f"cannot write {path}: {other} is written too; name another file")
        written.append(path)


def _same_file(a: str | Path, b: str | Path) -> bool:
    """Whether two names lead to one file, or would."""
    if os.path.realpath(a) == os.path.realpath(b):
        return True
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


def emit_json(report: Mapping[str, Any], path: str | None) -> None:
    """Write a report as JSON to `path`, to stdout for "-", nowhere for None.

    Keys keep their order. Names with characters that are not printable, or that stdout's encoding
    lacks, are written in escapes. numpy scalars and arrays become numbers and lists. A number that
    JSON cannot hold (NaN, infinity) is a ValueError: a report must not contain one.
    """
    if path is None:
        return
    encoding = sys.stdout.encoding if path == STDOUT else "utf-8"
    text = json_text(report, ensure_ascii=False)
    if not text.replace("\n", "").isprintable() or not _encodes(text, encoding):
        text = json_text(report, ensure_ascii=True)
    if path == STDOUT:
        sys.stdout.write(text)
    else:
        write_atomic(path, text.encode())


def emit_text(text: str, path: str) -> None:
    """Write a text to `path`, or to stdout for "-"."""
    if path == STDOUT:
        sys.stdout.write(text)
    else:
        write_atomic(path, text.encode("utf-8", "surrogateescape"))


def _encodes(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def console(json_path: str | None = None) -> Console:
    """The console for what people read: stdout, or stderr while stdout carries the JSON.

    What is printed is shown as it is, never read as markup, each text on one line: what is not
    printable, such as a control character in a name from a file, is written as an escape.
    """
    from rich.console import Console

    class Plain(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            shown = (printable(o) if isinstance(o, str) else o for o in objects)
            super().print(*shown, **options)

        def on_broken_pipe(self) -> None:
            """The error goes on, to the one place that knows its exit status; rich exits with 1."""
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    out = Plain(
        stderr=json_path == STDOUT, highlight=False, soft_wrap=True, markup=False, emoji=False
    )
    # A table takes what it needs; rich would cut its cells to the width of the terminal.
    out.width = max(out.width, TABLE_WIDTH)
    return out


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str | None = None,
    left: Sequence[str] = (),
) -> Table:
    """A table to print on a `console()`.

    The first column and those named in `left` are left-aligned, the others right-aligned. Cells
    are shown as `str(cell)`, never read as markup, what is not printable as an escape.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heading = None if title is None else Text(printable(title), style="table.title")
    out = Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        is_left = index == 0 or name in left
        out.add_column(Text(name), justify="left" if is_left else "right", no_wrap=True)
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(columns)} cells is needed, not {row!r}")
        out.add_row(*(Text(printable(str(cell))) for cell in row))
    return out


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, with the time that is left; yields `advance(steps)`.

    Silent with `--quiet`, and where stderr is no terminal.

    Parameters
    ----------
    description : what is going on, for example "transcribing".
    total : the number of steps; None shows a moving bar without an end.
    """
    if _quiet or not sys.stderr.isatty():
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=Console(stderr=True, emoji=False), transient=True) as bar:
        task = bar.add_task(escape(printable(description)), total=total)
        yield lambda steps: bar.advance(task, steps)


def say(message: str) -> None:
    """One line on stderr before a step that may take long, on a terminal or not.

    Not with `--quiet`.
    """
    if _quiet:
        return
    with suppress(OSError):
        print(printable(message), file=sys.stderr, flush=True)  # noqa: T201 - the one place
