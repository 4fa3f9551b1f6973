"""What callers hand in, checked before compiled code runs on it: that code checks no index."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from npu.chip.weight_format import SETS, CodeSet, CodeTable

STREAMS = ("run", "value")
# Sections are padded to bus words, so a bus without bounds takes memory without bounds.
MAX_BUS_BYTES = 1024
DEFAULT_BUS_BYTES = 16


def check_count(name: str, count: Any, least: int = 1) -> None:
    """Raise ValueError unless it is a whole number, `least` or more."""
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
        raise ValueError(f"{name} must be a whole number, at least {least}, not {count!r}")


def check_bus(bus_bytes: Any) -> None:
    """Raise ValueError unless it is a bus width in bytes."""
    if isinstance(bus_bytes, bool) or not isinstance(bus_bytes, (int, np.integer)):
        raise ValueError(f"bus_bytes must be a whole number, not {bus_bytes!r}")
    if not 4 <= bus_bytes <= MAX_BUS_BYTES or bus_bytes & (bus_bytes - 1):
        raise ValueError(f"bus_bytes must be a power of two, 4 to {MAX_BUS_BYTES}, not {bus_bytes}")


def as_whole(numbers: Any, what: str) -> np.ndarray:
    """(n,) int64, a copy. Raises ValueError for what are no whole numbers."""
    found = np.asarray(numbers)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise ValueError(f"{what} must be whole numbers (n,), not {found.dtype} {found.shape}")
    return found.astype(np.int64)


def as_rows(rows: Any, count: int, whose: str) -> np.ndarray:
    """(n,) int64, a copy: numbers of rows of a matrix of `count`; ValueError names `whose`."""
    found = as_whole(rows, f"{whose}: rows")
    if found.size and not 0 <= found.min() <= found.max() < count:
        wrong = found.min() if found.min() < 0 else found.max()
        raise ValueError(f"{whose}: row {wrong} of a matrix of {count} rows")
    return found


def as_slots(slot_rows: Sequence[Any], count: int) -> tuple[np.ndarray, ...]:
    """`as_rows` of each slot."""
    return tuple(as_rows(rows, count, f"slot {slot}") for slot, rows in enumerate(slot_rows))


def check_sections(sections: Sequence[Any], lanes: int) -> None:
    """Raise ValueError unless these are words for each of so many lanes, whatever they say."""
    if len(sections) != lanes:
        raise ValueError(f"{len(sections)} sections for {lanes} lanes")
    for lane, section in enumerate(sections):
        if not isinstance(section, np.ndarray) or section.dtype != np.uint32 or section.ndim != 1:
            raise ValueError(f"lane {lane}: a section must be an array (n,) of uint32")


def table_problem(table: Any) -> str | None:
    """What is wrong with a code table, its types included, or None."""
    if not isinstance(table, CodeTable):
        return f"must be a CodeTable, not {type(table).__name__}"
    raw_bits: Any = table.raw_bits
    if not isinstance(raw_bits, (int, np.integer)):
        return f"raw bits {raw_bits!r}, must be a whole number"
    arrays: tuple[tuple[str, Any, str], ...] = (
        ("counts", table.counts, "iu"),
        ("entries", table.entries, "u"),
    )
    for name, array, kinds in arrays:
        if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in kinds:
            return f"{name} must be an array (n,) of whole numbers, not {array!r}"
    if table.entries.dtype != np.uint8:
        return f"entries must be uint8, not {table.entries.dtype}"
    return table.problem()


def check_sets(sets: Sequence[CodeSet], error: type[Exception] = ValueError) -> None:
    """Raise `error` unless these are code sets that a decoder takes."""
    if len(sets) not in SETS:
        raise error(f"{len(sets)} code sets, must be one of {SETS}")
    for number, tables in enumerate(sets):
        if len(tables) != len(STREAMS):
            raise error(f"set {number}: {len(tables)} codes, must be {len(STREAMS)}")
        for kind, table in zip(STREAMS, tables, strict=True):
            if problem := table_problem(table):
                raise error(f"set {number}, {kind} code: {problem}")
