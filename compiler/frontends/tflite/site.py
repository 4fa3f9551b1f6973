"""An operator of a file in its surroundings, as constraints and conversions see it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compiler.frontends.tflite.decisions import Decisions
from compiler.frontends.tflite.resources import Variables
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor, contents

_MAX_NUMBERS = 1 << 16
"""Most numbers of an input that says how an operator works."""


@dataclass(frozen=True)
class Site:
    """An operator's tensors and options. Absent inputs are -1.

    `custom` are the options of a custom operator. The model's own inputs are only known to the
    constraints of `Entry.later`.
    """

    source: Source
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    tensors: list[RawTensor]
    variables: Variables
    decisions: Decisions
    custom: bytes = b""
    model_inputs: frozenset[int] = frozenset()

    def present(self) -> list[RawTensor]:
        """All its tensors, inputs first."""
        return [self.tensors[i] for i in (*self.inputs, *self.outputs) if i >= 0]

    def input(self, position: int) -> RawTensor:
        """One of its inputs, which must be there."""
        return self.tensors[self.inputs[position]]

    def output(self, position: int = 0) -> RawTensor:
        """One of its outputs."""
        return self.tensors[self.outputs[position]]

    def constant(self, position: int) -> np.ndarray | None:
        """What an input holds, if that is known before the model runs; None if not, or if absent.

        In its own shape and type. Raises ModelError where contents and shape do not fit.
        """
        if not self.given(position) or not self.input(position).is_constant:
            return None
        return contents(self.source, self.input(position))

    def numbers(self, position: int, count: int | None = None) -> list[int]:
        """The integers of a constant input, which must be there.

        Raises ModelError where there are not `count` of them.
        """
        values = self.constant(position)
        found = [] if values is None else [int(v) for v in values.reshape(-1)[:_MAX_NUMBERS]]
        self.require(
            count in (None, len(found)),
            f"its input {position} must hold {count} numbers, not {len(found)}",
        )
        return found

    def axis(self, value: int, rank: int) -> int:
        """An axis as 0 to rank - 1, which may be counted from the end. Raises ModelError."""
        self.require(-rank <= value < rank, f"an axis must be {-rank} to {rank - 1}, not {value}")
        return value % rank

    def require(self, condition: bool, message: str) -> None:
        """Raise ModelError at this operator unless `condition` holds."""
        if not condition:
            raise self.source.damaged(message)

    def know(self, position: int, values: np.ndarray) -> None:
        """Make an output a constant: whoever reads the tensor behind this operator finds it so."""
        index = self.outputs[position]
        self.tensors[index] = replace(self.tensors[index], is_constant=True, known=values)

    def add(self, tensor: RawTensor) -> int:
        """A tensor that the file does not have; its index."""
        self.tensors.append(tensor)
        return len(self.tensors) - 1

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
