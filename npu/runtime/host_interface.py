"""What host and program agree on: which registers carry what from one to the other.

The compiler writes programs to it, the sessions start them by it.
"""

from typing import Final

CALLS: Final = 1
"""Register of a loop entry: how many calls the host has written; it is counted down to 0."""

TOKENS: Final = 3
"""Register of a loop entry: how many words the chip has left, after HALT."""

CALL_SHIFT: Final = 16
"""In such a word: the symbol is below, above it the frames left behind the one that emitted it: one
a call, or as many as an encoder call gives."""

# --- of a search on the host with several hypotheses ----------------------------------------------
FROM: Final = 1
"""Register: the slot of a hypothesis, as an offset from the first one."""

TO: Final = 3
"""Register: the slot that a longer hypothesis gets."""

FRAME: Final = 4
"""Register: which of several frames that an encoder call gives is joined, from 0."""

SYMBOL: Final = 5
"""Register: the symbol that it has more; in a loop, the one that the joiner chose."""
