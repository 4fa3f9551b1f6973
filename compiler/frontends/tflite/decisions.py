"""What is decided in a subgraph while it is read; `conditions` says how."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Decision:
    """A bool that follows from one int8.

    Attributes
    ----------
    source : the tensor of the int8.
    answers : (256,) bool, for -128 to 127.
    """

    source: int
    answers: np.ndarray


@dataclass
class Decisions:
    """Those of the open subgraph.

    Attributes
    ----------
    known : by the tensor of a bool what it follows from.
    elsewhere : tensors that something else reads than an IF; the subgraph's outputs are some.
    """

    known: dict[int, Decision] = field(default_factory=dict)
    elsewhere: frozenset[int] = frozenset()
