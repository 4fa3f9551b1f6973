"""The chip of a command: `--chip`, and `--set NAME=VALUE` on top of it.

A chip may also carry overrides with it, `edge,lanes=32`: where a command takes several chips.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from npu.errors import ParamsError

if TYPE_CHECKING:
    from npu.chip.params import ChipParams

DEFAULT_CHIP = "edge"
OVERRIDES = f"{__name__}.overrides"
"""Where the context of a command keeps what `--set` says."""

_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=.*")


def keep_overrides(
    context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    """Callback of `--set`: check how they are written, and keep them for `load_chip`."""
    parsed(texts)
    context.meta[OVERRIDES] = texts
    return texts


def parsed(texts: Iterable[str]) -> dict[str, Any]:
    """{name: value} of NAME=VALUE, with numbers as TOML writes them; all else is text.

    Raises ParamsError for what is written otherwise, and for a name that stands there twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not name or not equals or not value:
            raise ParamsError(f"--set {text!r}: write NAME=VALUE, as in --set lanes=32")
        if name in found:
            raise ParamsError(f"--set {text!r}: {name} is set twice")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except (ValueError, RecursionError):
            found[name] = value
    return found


def overrides() -> tuple[str, ...]:
    """What `--set` of the running command says."""
    context = click.get_current_context(silent=True)
    return () if context is None else context.meta.get(OVERRIDES, ())


def load_chip(chip: str | None) -> ChipParams:
    """The chip of `--chip`, `edge` for None, with its overrides and those of `--set`.

    Raises ParamsError naming every wrong key and value.
    """
    from npu.chip.params import load_params

    name, *own = _split(DEFAULT_CHIP if chip is None else chip)
    changes = parsed(own) | parsed(overrides())
    params = load_params(name)
    return params.with_overrides(changes) if changes else params


def file_of(chip: str | None) -> str | None:
    """The name or the file in a chip's text, without overrides."""
    return None if chip is None else _split(chip)[0]


def _split(chip: str) -> list[str]:
    """A name or file, and NAME=VALUE behind it; a comma in a file's name stays there."""
    parts = chip.split(",")
    behind: list[str] = []
    while len(parts) > 1 and _OVERRIDE.fullmatch(parts[-1]):
        behind.insert(0, parts.pop())
    return [",".join(parts), *behind]
