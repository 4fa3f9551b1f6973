"""The resource variables of a model while it is read; `variables` says what they become."""

from dataclasses import dataclass, field

import numpy as np

from compiler.frontends.tflite.tensors import RawTensor

Key = tuple[str, str]
"""Container and name of a variable."""


@dataclass
class Variables:
    """The variables of a model, while it is read.

    Attributes
    ----------
    kinds : the first value assigned to each in the file's order: its type, shape and scale.
    initial : what each holds after a reset, where the model says so.
    handles : of the open subgraph: the variables behind handles.
    homes : of the open subgraph: the tensor that stands for each variable.
    used : whether one was read or assigned in the open subgraph.
    """

    kinds: dict[Key, RawTensor] = field(default_factory=dict)
    initial: dict[Key, np.ndarray] = field(default_factory=dict)
    handles: dict[int, Key] = field(default_factory=dict)
    homes: dict[Key, int] = field(default_factory=dict)
    used: bool = False

    def turn(self) -> None:
        """Another subgraph is opened."""
        self.handles, self.homes, self.used = {}, {}, False
