"""Text: of strangers, fit for a terminal, and of reports, as JSON."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def printable(text: str) -> str:
    """`text` with everything but printable characters written as Python's escapes.

    Control characters, line ends, invisible and direction-changing characters, and the lone
    surrogates that stand for bytes of a file name that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def plain(words: str, most: int = 80) -> str:
    """A foreign name for a comment of a file that is made, in C or Verilog: at most `most` ASCII.

    Nothing is left in it that could end the comment, or mean something in it.
    """
    return re.sub(r"[^A-Za-z0-9_ .,:;()=+/-]", "_", words)[:most]


def shown(value: Any) -> str:
    """`value` in JSON's spelling, printable and shortened: for messages about a file's contents."""
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 120 else text[:117] + "..."


def json_text(report: Mapping[str, Any], *, ensure_ascii: bool = False) -> str:
    """A report as JSON. Keys keep their order; numpy's scalars and arrays become numbers and lists.

    A number that JSON cannot hold (NaN, infinity) is a ValueError: a report must not contain one.
    """
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=ensure_ascii, default=_plain)
    return f"{text}\n"


def _plain(value: object) -> object:
    """numpy's scalars and arrays, without importing numpy."""
    tolist = getattr(value, "tolist", None)
    if tolist is not None:
        return tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be put in a JSON report")
