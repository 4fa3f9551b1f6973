"""The one table of TFLite's operators: which run, in which form, and what they become."""

from compiler.frontends.tflite.decided import REFUSED
from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.ring import RING
from compiler.frontends.tflite.site import text
from compiler.frontends.tflite.source import Code, kind_name
from compiler.frontends.tflite.table_branches import BRANCHES
from compiler.frontends.tflite.table_math import MATH
from compiler.frontends.tflite.table_moves import MOVES
from compiler.frontends.tflite.table_picks import PICKS
from compiler.frontends.tflite.table_products import PRODUCTS
from compiler.frontends.tflite.table_variables import VARIABLES
from compiler.frontends.tflite.table_windows import WINDOWS

SUPPORTED: dict[Code, Entry] = {
    code: entry
    for room in (BRANCHES, MATH, MOVES, PICKS, PRODUCTS, VARIABLES, WINDOWS)
    for code, entry in room.items()
}
SUPPORTED.update(RING)


def supported_operators() -> list[tuple[str, list[str]]]:
    """The table of supported operators: (name, constraints), sorted by name."""
    return sorted(
        (kind_name(code), [text(constraint) for constraint in entry.to_run()])
        for code, entry in SUPPORTED.items()
    )


def refused_operators() -> list[tuple[str, str]]:
    """What TensorFlow Lite Micro has besides: (name, reason), sorted by name."""
    refused = ((kind_name(code), why) for code, why in REFUSED.items() if code not in SUPPORTED)
    return sorted(refused, key=lambda each: each[0].lower())
