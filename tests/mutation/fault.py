"""A fault that is seeded into the hardware."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`old`, which stands in `file` once, becomes `new`.

    Attributes
    ----------
    what : the fault in words.
    file : path below rtl/.
    tests : files below tests/rtl/ (without room, "test_" and ".py") that are run, in this order.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
