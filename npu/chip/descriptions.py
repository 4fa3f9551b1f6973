"""Chip descriptions: TOML files, which may take what they do not say from another one.

    base = "edge"        # a preset, or a file, seen from this one's folder
    lanes = 32

    [energy_pj]
    mac = 0.3            # the other keys of the table are the base's

A description without a `name` of its own is called as its file is.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from npu.errors import ParamsError
from npu.files import read_text

PRESETS = ("tiny", "edge", "max")
KIB = 1024
MAX_TOML_BYTES = 64 * KIB
"""A description takes one."""

BASE = "base"
MAX_BASES = 16
"""A chain of more is a mistake."""


MAX_NAME = 200
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._+()=,-]")


def plain_name(words: str) -> str:
    """`words` as a chip may be called: other characters are `_`, and none is behind MAX_NAME.

    A chip's name stands in comments, strings and lists of what is exported, in several languages:
    the characters of a name mean nothing in any of them.
    """
    return _NOT_PLAIN.sub("_", words)[:MAX_NAME]


def read_description(chip: str | Path) -> tuple[dict[str, Any], Path]:
    """(values, file) of a preset by name, or of a TOML file, with what it takes from its bases.

    The values are not checked. Raises ParamsError where a file cannot be read or is no TOML, where
    a base is none, and where bases lead back to a file before.
    """
    path = _find(str(chip), Path(chip))
    if path is None:
        raise ParamsError(
            f"chip {str(chip)!r} is neither a preset ({', '.join(PRESETS)}) nor a TOML file"
        )
    return _read(path, ()), path


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """The values of `base` with those of `over` in their place; tables key by key."""
    found = dict(base)
    for key, value in over.items():
        before = found.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            found[key] = merged(before, value)
        else:
            found[key] = value
    return found


def _find(name: str, path: Path) -> Path | None:
    if name in PRESETS:
        return Path(__file__).parent / "presets" / f"{name}.toml"
    return path if path.exists() else None


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    chain = (*seen, path)
    if path.resolve() in [other.resolve() for other in seen]:
        raise ParamsError(
            f"{seen[0]}: its bases lead in a circle: {' -> '.join(map(str, chain))}; take one "
            f"{BASE!r} out"
        )
    if len(chain) > MAX_BASES:
        raise ParamsError(
            f"{seen[0]}: more than {MAX_BASES} files, each the base of the one before"
        )
    try:
        values = tomllib.loads(read_text(path, MAX_TOML_BYTES, ParamsError))
    except (ValueError, RecursionError) as error:
        # A number of more digits than Python converts is a ValueError of its own.
        reason = str(error) or type(error).__name__
        raise ParamsError(f"{path}: not a readable TOML file: {reason}") from error
    if BASE not in values:
        return values
    base = values.pop(BASE)
    found = _find(base, path.parent / base) if isinstance(base, str) else None
    if found is None:
        raise ParamsError(
            f"{path}: {BASE} = {str(base)[:60]!r} is neither a preset ({', '.join(PRESETS)}) nor a "
            f"TOML file, seen from {path.parent}"
        )
    return merged(_read(found, chain), {"name": plain_name(path.stem), **values})
