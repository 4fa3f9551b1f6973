"""How often a joiner does not decide: its two largest int8 logits are equal.

An int8 logit is an int32 sum, rescaled, rounded and cut to -128 to 127, which never turns the order
of two logits. So the first of the equals is taken where the sums may have had a largest one; int32
logits could change a greedy search there, and nowhere else. A beam adds what logits say up, and
would rank by finer scores everywhere.
"""

from typing import NamedTuple

import numpy as np

from npu.model.recording import LOGITS


class TieCount(NamedTuple):
    """Outputs of a joiner, how many of them have several largest logits, and in how many of these
    blank is among those.
    """

    outputs: int = 0
    equal: int = 0
    with_blank: int = 0


class Ties:
    """Counts what it sees: a `npu.model.recording.Recorder`.

    Parameters
    ----------
    blank : the number of its logit.

    Attributes
    ----------
    count : since the begin, or since it was cleared.
    """

    def __init__(self, blank: int) -> None:
        self._blank = blank
        self.count = TieCount()

    def add(self, name: str, vector: np.ndarray) -> None:
        """Take logits, (symbols,) int8; other vectors are nothing to it."""
        if name != LOGITS:
            return
        outputs, equal, with_blank = self.count
        largest = vector == vector.max()
        if np.count_nonzero(largest) > 1:
            equal += 1
            with_blank += int(largest[self._blank])
        self.count = TieCount(outputs + 1, equal, with_blank)

    def clear(self) -> None:
        """Count anew."""
        self.count = TieCount()
