"""What a search has heard so far, as a chain of symbols that several strings may share."""

from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Emission:
    """The last symbol of a string.

    Attributes
    ----------
    before : the one before it; None for the first.
    symbol : its id. frame : of which of the encoder's frames, counted since the states were reset.
    score : of the symbol alone, in units of `npu.speech.scores.ONE`; None where nobody knows it.
    """

    before: "Emission | None" = field(repr=False)
    symbol: int
    frame: int
    score: int | None = None


def emissions(last: Emission | None) -> list[Emission]:
    """All of them, from the first on."""
    found = []
    while last is not None:
        found.append(last)
        last = last.before
    return found[::-1]
