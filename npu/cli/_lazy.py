"""A click group that imports a subcommand only when it is called."""

import ast
import importlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

INTERRUPTED = 130


@contextmanager
def interrupts_end_at_once() -> Iterator[None]:
    """An interrupt ends the process with status INTERRUPTED and without a word.

    For imports, which have nothing to clean up: the exception would leave an extension module's
    start as some other error, or not at all.
    """
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class LazyGroup(click.Group):
    """Subcommands are the modules of one package; the listing imports none of them.

    A subcommand `name` is the attribute `command` of the module `<package>.<name>`. Its line in
    the listing is the first line of that module's docstring, read from the source text.

    Parameters
    ----------
    package : dotted name of the package that holds the modules.
    order : the subcommands, in the order of the listing. Those whose module does not exist are
        neither listed nor found.
    """

    def __init__(self, *args: Any, package: str, order: tuple[str, ...], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.package = package
        self.order = order

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in self.order if self._source(name) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        # What is imported compiles, and notes where it cannot keep the result.
        from npu import cache

        cache.note = _note
        with interrupts_end_at_once():
            command = importlib.import_module(f"{self.package}.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.package}.{cmd_name}.command must be a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self._summary(name)) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _source(self, name: str) -> Path | None:
        spec = find_spec(f"{self.package}.{name}")
        return Path(spec.origin) if spec is not None and spec.origin else None

    def _summary(self, name: str) -> str:
        source = self._source(name)
        text = source.read_text(encoding="utf-8") if source is not None else ""
        docstring = ast.get_docstring(ast.parse(text)) or ""
        return docstring.partition("\n")[0].rstrip(".")


def _note(text: str) -> None:
    from npu.cli._output import say

    say(f"note: {text}")
