"""A gate: steps that run in a call only if a number that was computed before says so."""

from collections.abc import Sequence

import numpy as np

from kernels.engines.program import fused
from kernels.values import END, Step, Values
from npu.model.operators.gate import Gate, GateElse, GateEnd


class GateStep:
    """A gate with all steps up to its end, which `nested` gives it."""

    def __init__(self, condition: np.ndarray, threshold: int) -> None:
        self._condition, self._threshold = condition, threshold
        self._ways: tuple[Sequence[Step], Sequence[Step]] = ((), ())
        self._end: EndStep | None = None

    def fill(self, closed: Sequence[Step], inside: Sequence[Step], end: "EndStep") -> None:
        """Say what stands behind it: what runs where it is closed, and where it is open."""
        self._ways, self._end = (closed, inside), end

    def __call__(self) -> object:
        assert self._end is not None, "`nested` has filled it"
        is_open = bool(self._condition[0] >= self._threshold)
        for step in self._ways[is_open]:
            if step() is END:
                return END
        self._end.take(is_open)
        return None


class ElseStep:
    """Where the way of a closed gate begins."""

    def __call__(self) -> object:
        raise AssertionError("its gate runs it")


class EndStep:
    """What is behind a gate: of the values of both ways, those that count.

    Parameters
    ----------
    each : of every output: its value where the gate is closed, where it is open, and itself
    """

    def __init__(self, each: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        self._each = each

    def take(self, is_open: bool) -> None:
        """The values of an open gate, or of a closed one."""
        for *values, output in self._each:
            np.copyto(output, values[is_open])

    def __call__(self) -> object:
        raise AssertionError("its gate runs it")


def prepare(values: Values, op: Gate, params: None) -> Step:
    """Looks at its condition."""
    return GateStep(values.flat(op.condition), op.threshold)


def prepare_else(values: Values, op: GateElse, params: None) -> Step:
    """A place."""
    return ElseStep()


def prepare_end(values: Values, op: GateEnd, params: None) -> Step:
    """Copies the values of one way."""
    each = zip(op.otherwise, op.values, op.outputs, strict=True)
    return EndStep([(values[other], values[value], values[out]) for other, value, out in each])


def nested(steps: Sequence[Step]) -> list[Step]:
    """The steps of a verified graph, with those behind a gate inside of it; neighbours of one
    compiled program are one step."""
    # Of every gate around: itself, and its ways so far.
    around: list[tuple[GateStep, list[list[Step]]]] = []
    found: list[Step] = []
    for step in steps:
        into = around[-1][1][-1] if around else found
        if isinstance(step, GateStep):
            into.append(step)
            around.append((step, [[]]))
        elif isinstance(step, ElseStep):
            around[-1][1].append([])
        elif isinstance(step, EndStep):
            gate, (inside, *closed) = around.pop()
            gate.fill(fused(closed[0]) if closed else [], fused(inside), step)
        else:
            into.append(step)
    return fused(found)


PREPARE = {Gate: prepare, GateElse: prepare_else, GateEnd: prepare_end}
