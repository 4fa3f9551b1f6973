"""A fault that is seeded into the hardware."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """The code `old`, which a unit holds once, becomes `new`.

    Code is an expression or some statements; how it is laid out, and in which file or method of the
    unit it stands, does not matter (`tests.mutation.locate`).

    Attributes
    ----------
    what : the fault in words.
    unit : the class or function below rtl/ that has it, as `locate.unit_of` takes it.
    tests : files below tests/rtl/ (without "test_" and ".py") that are run, in this order.
    """

    what: str
    unit: str
    old: str
    new: str
    tests: tuple[str, ...]
