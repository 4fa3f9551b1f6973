"""An operator of a file in its surroundings, as constraints and conversions see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from compiler.frontends.tflite.tensors import RawTensor


@dataclass(frozen=True)
class Site:
    """An operator's tensors and options. Absent inputs are -1.

    The model's own inputs are only known to the constraints of `Entry.later`.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    tensors: list[RawTensor]
    model_inputs: frozenset[int] = frozenset()

    def present(self) -> list[RawTensor]:
        """All its tensors, inputs first."""
        return [self.tensors[i] for i in (*self.inputs, *self.outputs) if i >= 0]

    def input(self, position: int) -> RawTensor:
        """One of its inputs, which must be there."""
        return self.tensors[self.inputs[position]]

    def given(self, *positions: int) -> bool:
        """Whether all of these inputs are there."""
        return all(p < len(self.inputs) and self.inputs[p] >= 0 for p in positions)

    def activation(self) -> int:
        """The fused activation, as the schema numbers them."""
        return 0 if self.options is None else self.options.FusedActivationFunction()


Constraint = Callable[[Site], bool]
"""Whether a form of an operator runs; the docstring says what form that is, in one line."""


def text(constraint: Constraint) -> str:
    """What a constraint demands."""
    return (constraint.__doc__ or "").strip()
