"""What a run saw on its way: vectors by name, for comparison with another engine's."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

ENCODER_OUT, LOGITS = "encoder_out", "logits"
"""Of a transducer."""


class Recorder(Protocol):
    """Is shown what a run makes on its way."""

    def add(self, name: str, vector: np.ndarray) -> None:
        """See a vector; what it holds may be another one later."""


@dataclass
class Recording:
    """Vectors in the order in which they were made.

    Attributes
    ----------
    vectors : by name, one-dimensional; of a transducer `encoder_out`, (frames * width,) int8 per
        encoder call, and `logits`, (symbols,) int8 per joiner evaluation.
    """

    vectors: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, name: str, vector: np.ndarray) -> None:
        """Keep a vector; not a copy of it."""
        self.vectors.setdefault(name, []).append(vector)

    def clear(self) -> None:
        """Forget everything."""
        self.vectors.clear()
