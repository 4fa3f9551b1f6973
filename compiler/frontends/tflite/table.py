"""The one table of TFLite's operators: which run, in which form, and what they become."""

from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.schema import OPERATOR_NAMES
from compiler.frontends.tflite.site import text
from compiler.frontends.tflite.table_math import MATH
from compiler.frontends.tflite.table_moves import MOVES
from compiler.frontends.tflite.table_picks import PICKS
from compiler.frontends.tflite.table_products import PRODUCTS
from compiler.frontends.tflite.table_windows import WINDOWS

SUPPORTED: dict[int, Entry] = {**MATH, **MOVES, **PICKS, **PRODUCTS, **WINDOWS}


def supported_operators() -> list[tuple[str, list[str]]]:
    """The table of supported operators: (name, constraints), sorted by name."""
    return sorted(
        (OPERATOR_NAMES[code], [text(constraint) for constraint in entry.to_run()])
        for code, entry in SUPPORTED.items()
    )
