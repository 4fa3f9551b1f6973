"""Operators as a file writes them, before conversion: who makes what, and who needs whom."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tflite.AddOptions import AddOptions
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.DivOptions import DivOptions
from tflite.MulOptions import MulOptions
from tflite.SubOptions import SubOptions

from compiler.frontends.tflite.operators import options_of
from compiler.frontends.tflite.source import Code, Source

_CLAMPING: dict[int, tuple[int, Any]] = {
    BuiltinOperator.ADD: (BuiltinOptions.AddOptions, AddOptions),
    BuiltinOperator.DIV: (BuiltinOptions.DivOptions, DivOptions),
    BuiltinOperator.MUL: (BuiltinOptions.MulOptions, MulOptions),
    BuiltinOperator.SUB: (BuiltinOptions.SubOptions, SubOptions),
}


@dataclass(frozen=True)
class Written:
    """An operator of the file."""

    code: Code
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    table: Any


def written_operators(source: Source, tensors: int) -> list[Written]:
    """The open subgraph's operators. Raises ModelError for indices that cannot be."""
    return [_written(source, i, tensors) for i in source.operators()]


def _written(source: Source, index: int, tensors: int) -> Written:
    code, name, table = source.operator(index)
    source.place = name
    inputs = source.indices(table.InputsAsNumpy(), tensors, optional=True)
    outputs = source.indices(table.OutputsAsNumpy(), tensors, optional=False)
    return Written(code, name, inputs, outputs, table)


def makers(operators: Sequence[Written]) -> dict[int, int]:
    """By tensor the operator that makes it."""
    return {output: at for at, op in enumerate(operators) for output in op.outputs}


def activation_of(source: Source, op: Written) -> int:
    """The clamping that is part of an ADD, DIV, MUL or SUB; 0, which is none, of others."""
    known = _CLAMPING.get(op.code) if isinstance(op.code, int) else None
    if known is None:
        return 0
    source.place = op.name
    options = options_of(source, op.table, known)
    return 0 if options is None else int(options.FusedActivationFunction())


def unneeded(
    operators: Sequence[Written],
    outputs: Collection[int],
    replaced: Collection[int],
    inside: Collection[int],
) -> frozenset[int]:
    """Those of `inside` that nobody reads but what is replaced and what is unneeded itself.

    outputs : the subgraph's
    """
    read = set(outputs)
    found: set[int] = set()
    # From the end, as readers stand behind.
    for at in reversed(range(len(operators))):
        if at in replaced:
            continue
        if at in inside and not read & set(operators[at].outputs):
            found.add(at)
            continue
        read.update(operators[at].inputs)
    return frozenset(found)
