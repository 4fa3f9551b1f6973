"""A gate: steps that run in a call only if a number that was computed before says so."""

from collections.abc import Sequence

import numpy as np

from kernels.engines.program import fused
from kernels.values import END, Step, Values
from npu.model.operators.gate import Gate, GateEnd


class GateStep:
    """A gate with all steps up to its end, which `nested` gives it."""

    def __init__(self, condition: np.ndarray, threshold: int) -> None:
        self._condition, self._threshold = condition, threshold
        self._inside: Sequence[Step] = ()
        self._end: EndStep | None = None

    def fill(self, inside: Sequence[Step], end: "EndStep") -> None:
        """Say what stands behind it."""
        self._inside, self._end = inside, end

    def __call__(self) -> object:
        assert self._end is not None, "`nested` has filled it"
        is_open = self._condition[0] >= self._threshold
        if is_open:
            for step in self._inside:
                if step() is END:
                    return END
        self._end.take(is_open)
        return None


class EndStep:
    """What is behind a gate: of the two values, the one that counts."""

    def __init__(self, value: np.ndarray, otherwise: np.ndarray, output: np.ndarray) -> None:
        self._value, self._otherwise, self._output = value, otherwise, output

    def take(self, is_open: bool) -> None:
        """The value of an open gate, or of a closed one."""
        np.copyto(self._output, self._value if is_open else self._otherwise)

    def __call__(self) -> object:
        raise AssertionError("its gate runs it")


def prepare(values: Values, op: Gate, params: None) -> Step:
    """Looks at its condition."""
    return GateStep(values.flat(op.condition), op.threshold)


def prepare_end(values: Values, op: GateEnd, params: None) -> Step:
    """Copies one of its values."""
    return EndStep(values[op.value], values[op.otherwise], values[op.output])


def nested(steps: Sequence[Step]) -> list[Step]:
    """The steps of a verified graph, with those behind a gate inside of it; neighbours of one
    compiled program are one step."""
    found: list[Step] = []
    inside: list[Step] = []
    gate: GateStep | None = None
    for step in steps:
        if isinstance(step, GateStep):
            gate, inside = step, []
            found.append(step)
        elif isinstance(step, EndStep):
            assert gate is not None, "the rules have looked"
            gate.fill(fused(inside), step)
            gate = None
        else:
            (found if gate is None else inside).append(step)
    return fused(found)


PREPARE = {Gate: prepare, GateEnd: prepare_end}
