"""Which phrases are too faint to be one: noise, or somebody further away."""

import math
from collections import deque

from npu.speech.ends import EndRule


class Faintness:
    """What a phrase is measured by: the loudest one shortly before.

    Parameters
    ----------
    rule : EndRule
        How far below, and how shortly.
    """

    def __init__(self, rule: EndRule) -> None:
        self._rule = rule
        # How loud a phrase was, and the call behind it.
        self._recent: deque[tuple[float, int]] = deque()

    def note(self, level: float, end_call: int) -> None:
        """A phrase of so many dB has ended with that call of the stream."""
        self._recent.append((level, end_call))

    def is_faint(self, level: float, begin_call: int) -> bool:
        """Whether one of so many dB that began with that call is none."""
        while self._recent and begin_call - self._recent[0][1] > self._rule.recent_calls:
            self._recent.popleft()
        loudest = max((level for level, _ in self._recent), default=-math.inf)
        return level < loudest - self._rule.faint_db
