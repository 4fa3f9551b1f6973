"""A line of the table of TFLite's operators: which form of one runs, and how it is read."""

from dataclasses import dataclass
from typing import Any

from compiler.frontends.tflite import constraints as must
from compiler.frontends.tflite.convert import Convert
from compiler.frontends.tflite.site import Constraint

MANY_OUTPUTS: tuple[Constraint, ...] = (
    must.known_types,
    must.not_compressed,
    must.no_empty_output,
)
"""What every operator must fulfil, those with several outputs too."""

COMMON: tuple[Constraint, ...] = (*MANY_OUTPUTS, must.one_output)
"""What an operator must fulfil unless it says otherwise."""


@dataclass(frozen=True)
class Entry:
    """One line of the table: which form of an operator is supported, and how it is read.

    The constraints of `later` are those of the graph's rules and of the chip: they are listed with
    the others and told in verdicts, but do not keep a model from being read, as the kernels run
    some of what the chip does not.

    Attributes
    ----------
    options : kind and class of its options in the schema; None where they say nothing.
    common : what it shares with the others.
    """

    constraints: tuple[Constraint, ...]
    convert: Convert
    options: tuple[int, Any] | None = None
    later: tuple[Constraint, ...] = ()
    common: tuple[Constraint, ...] = COMMON

    def to_be_read(self) -> tuple[Constraint, ...]:
        """What keeps a model from being read."""
        return (*self.common, *self.constraints)

    def to_run(self) -> tuple[Constraint, ...]:
        """All that it must fulfil."""
        return (*self.to_be_read(), *self.later)
