"""An IF becomes a gate, with the operators of both its subgraphs in the graph that it stands in.

Tensors of a subgraph become tensors of that graph; its inputs are what the IF hands in, and the
variables that it knows are those of the whole model. A condition that is constant leaves one way.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from tflite.TensorType import TensorType

from compiler.frontends.tflite.branches import graphs_of
from compiler.frontends.tflite.decisions import Decision
from compiler.frontends.tflite.fold import fold
from compiler.frontends.tflite.opened import Opened, open_subgraph
from compiler.frontends.tflite.resources import Variables
from compiler.frontends.tflite.site import Site
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor, contents
from npu.errors import UnsupportedError
from npu.model.numerics import INT8_MIN
from npu.model.operators.gate import Gate, GateElse, GateEnd
from npu.model.operators.move import Reshape
from npu.model.operators.table import Lookup
from npu.model.references import Operator, operator_states, renumbered

MOST_WAYS = 1 << 10
"""Most subgraphs that IFs of a model run, each as often as an IF does."""
MOST_ITEMS = 1 << 16
"""Most tensors of all of them: a few subgraphs that run each other may be a great many."""
DEEPEST = 16
"""Most IFs inside of one another."""

Read = Callable[[Opened], list[Operator]]
"""The operators of the open subgraph that are left to run, on its tensors."""


@dataclass(frozen=True)
class _Way:
    operators: list[Operator]
    results: list[int]


class Ways:
    """Reads what stands in the subgraphs of a model's IFs."""

    def __init__(self, source: Source, read: Read) -> None:
        self._source, self._read = source, read
        self._around: list[int] = []
        self._ways = self._items = 0
        self._times: dict[int, int] = {}

    def operators(self, name: str, site: Site, opened: Opened) -> list[Operator]:
        """What an IF becomes; its constraints are fulfilled.

        Raises
        ------
        ModelError
            If its subgraphs do not fit it, or there are too many.
        UnsupportedError
            If something in them is not supported.
        """
        holds, otherwise = graphs_of(self._source, site.options)
        if (constant := site.constant(0)) is not None:
            chosen = holds if constant.reshape(-1)[0] else otherwise
            return self._only(name, site, opened, chosen)
        decision = opened.decisions.known[site.inputs[0]]
        if decision.answers.all() or not decision.answers.any():
            chosen = holds if decision.answers[0] else otherwise
            return self._only(name, site, opened, chosen)
        ways = [self._way(name, site, opened, number) for number in (holds, otherwise)]
        gate, swapped = _gate(name, decision, opened.raw)
        there, elsewhere = reversed(ways) if swapped else ways
        made = [*gate, *there.operators]
        if elsewhere.operators:
            made += [GateElse(f"{name} else"), *elsewhere.operators]
        values, other = tuple(there.results), tuple(elsewhere.results)
        return [*made, GateEnd(f"{name} end", values, other, site.outputs)]

    def _only(self, name: str, site: Site, opened: Opened, number: int) -> list[Operator]:
        """One way, whatever comes."""
        way = self._way(name, site, opened, number)
        made = list(way.operators)
        for k, (result, output) in enumerate(zip(way.results, site.outputs, strict=True)):
            handed = Reshape(f"{name} output {k}", result, output)
            if not fold(self._source, handed, opened.raw):
                made.append(handed)
        return made

    def _way(self, name: str, site: Site, opened: Opened, number: int) -> _Way:
        """The operators of a subgraph, on tensors of the one that the IF stands in."""
        source = self._source
        self._enter(opened, number)
        child = open_subgraph(source, number, self._prefix(number), _seen_from(opened.variables))
        self._items += len(child.raw) + len(source.operators())
        source.place = f"{name}: subgraph {number}"
        if self._items > MOST_ITEMS:
            raise source.damaged(f"the graphs of its IFs hold more than {MOST_ITEMS} items in all")
        given = self._given(site, opened, child)
        made = self._read(child)
        self._around.pop()
        source.turn_to(opened.number, opened.prefix)
        source.place = f"{name}: subgraph {number}"
        self._once_only(made, number, name)

        def place(index: int) -> int:
            if index not in given:
                given[index] = len(opened.raw)
                opened.raw.append(child.raw[index])
            return given[index]

        operators = [renumbered(op, place) for op in made]
        results = [place(index) for index in child.outputs]
        for key, home in child.variables.homes.items():
            opened.variables.homes.setdefault(key, place(home))
        opened.variables.used |= bool(child.variables.homes)
        outputs = [(opened.raw[i], child.raw[k]) for i, k in self._pairs(site.outputs, child, True)]
        for outer, inner in outputs:
            self._require_alike(outer, inner, "gives")
        source.place = name
        return _Way(operators, results)

    def _enter(self, opened: Opened, number: int) -> None:
        """Raises ModelError where this would never end, or take too long."""
        if not self._around:
            self._around.append(opened.number)
        if number in self._around:
            raise self._source.damaged(f"subgraph {number} would run inside of itself")
        self._around.append(number)
        self._ways += 1
        if len(self._around) > DEEPEST + 1 or self._ways > MOST_WAYS:
            raise self._source.damaged(
                f"its IFs run more than {MOST_WAYS} graphs, or are more than {DEEPEST} deep"
            )

    def _prefix(self, number: int) -> str:
        """What operators are named by: of a subgraph that runs at several places, which time."""
        time = self._times[number] = self._times.get(number, 0) + 1
        return f"subgraph {number}{f' ({time})' if time > 1 else ''}, "

    def _pairs(
        self, own: Iterable[int], child: Opened, outputs: bool = False
    ) -> Iterable[tuple[int, int]]:
        """What an IF has, and what its subgraph has for it."""
        own, theirs = list(own), child.outputs if outputs else child.inputs
        if len(own) != len(theirs):
            what = "outputs" if outputs else "inputs"
            raise self._source.damaged(f"it must have {len(own)} {what}, not {len(theirs)}")
        return zip(own, theirs, strict=True)

    def _given(self, site: Site, opened: Opened, child: Opened) -> dict[int, int]:
        """By the subgraph's tensors those of the graph around it, for what is handed in.

        What is known of these is known inside.
        """
        given: dict[int, int] = {}

        def seen(outer: int) -> int:
            """A tensor of the graph around, inside."""
            child.raw.append(opened.raw[outer])
            given[len(child.raw) - 1] = outer
            return len(child.raw) - 1

        for key, home in opened.variables.homes.items():
            child.variables.homes[key] = seen(home)
        for outer, inner in self._pairs(site.inputs[1:], child):
            raw, own = opened.raw[outer], child.raw[inner]
            if own.is_constant or own.is_variable or inner in given:
                raise self._source.damaged(f"its input {inner} must be an input, and one only")
            if (handle := opened.variables.handles.get(outer)) is not None:
                if own.type != TensorType.RESOURCE:
                    raise self._source.damaged(f"it takes {own}, where the IF has a variable")
                child.variables.handles[inner] = handle
                continue
            self._require_alike(raw, own, "takes")
            given[inner] = outer
            if raw.is_constant:
                known = contents(self._source, raw)
                child.raw[inner] = replace(own, is_constant=True, known=known)
            if (decision := opened.decisions.known.get(outer)) is not None:
                if inner in child.decisions.elsewhere:
                    raise UnsupportedError(
                        f"{self._source.name}: {self._source.place}: a comparison is handed in and "
                        "read by more than an IF; compare where it is needed"
                    )
                known_inside = Decision(seen(decision.source), decision.answers)
                child.decisions.known[inner] = known_inside
        return given

    def _require_alike(self, outer: RawTensor, inner: RawTensor, verb: str) -> None:
        """Bytes are handed on as they are."""
        if (outer.type, outer.shape) != (inner.type, inner.shape):
            raise self._source.damaged(f"it {verb} {inner}, where the IF has {outer}")
        integers = outer.type not in (TensorType.FLOAT32, TensorType.BOOL, TensorType.RESOURCE)
        grids = [(t.scales, t.scale, t.zero_point) for t in (outer, inner)]
        if integers and grids[0] != grids[1]:
            raise UnsupportedError(
                f"{self._source.name}: {self._source.place}: what it {verb} is quantised otherwise "
                "than the IF has it; put QUANTIZE between, or convert with one scale for both"
            )

    def _once_only(self, made: list[Operator], number: int, name: str) -> None:
        if self._times[number] > 1 and any(operator_states(op) for op in made):
            raise UnsupportedError(
                f"{self._source.name}: {name}: subgraph {number} has operators that remember, and "
                "IFs run it at several places; give each place a graph of its own"
            )


def _seen_from(variables: Variables) -> Variables:
    """What a subgraph knows of variables before it is read. It may not initialise any."""
    return Variables(variables.kinds, variables.initial, {}, {}, True)


def _gate(name: str, decision: Decision, raw: list[RawTensor]) -> tuple[list[Operator], bool]:
    """What decides, and whether the gate is closed where the condition holds."""
    answers = decision.answers
    steps = np.diff(answers.astype(int))
    if np.count_nonzero(steps) == 1:
        threshold = INT8_MIN + 1 + int(np.flatnonzero(steps)[0])
        return [Gate(name, decision.source, threshold)], bool(answers[0])
    source = raw[decision.source]
    raw.append(replace(source, name=f"{source.name} decided"))
    at = len(raw) - 1
    table = Lookup(f"{name} condition", decision.source, at, answers.astype(np.int8).tobytes())
    return [table, Gate(name, at, 1)], False
