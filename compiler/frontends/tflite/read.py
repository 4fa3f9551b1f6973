"""A TFLite file becomes a graph, or says why not."""

from pathlib import Path

from compiler.frontends.forms import explanation
from compiler.frontends.tflite.decided import reason as reason_of
from compiler.frontends.tflite.fold import fold
from compiler.frontends.tflite.joined import joined
from compiler.frontends.tflite.operators import (
    find_variables,
    initialisations,
    refusal,
    site_of,
)
from compiler.frontends.tflite.resources import Variables
from compiler.frontends.tflite.signatures import chosen
from compiler.frontends.tflite.source import Source, kind_name
from compiler.frontends.tflite.table import SUPPORTED
from compiler.frontends.tflite.tensors import RawTensor, contents, graph_tensor, raw_tensors
from npu.errors import UnsupportedError
from npu.model.graph import Graph
from npu.model.operators.variable import AssignVariable
from npu.model.references import Operator, renumbered
from npu.model.verify import verify

_MOST_INITIALISATIONS = 8


def read_tflite(path: str | Path, signature: str | None = None) -> Graph:
    """Read a fully quantised `.tflite` model.

    Parameters
    ----------
    path : the file; its name becomes the graph's name
    signature : which of its signatures, where it has several

    Raises
    ------
    ModelError
        If the file cannot be read, is damaged, has no such signature, or is not a legal graph.
    UnsupportedError
        If it is sound but asks for an operator, or a form of one, that is not in
        `table.SUPPORTED`; or if it has several signatures, and none is named.
    """
    source = Source(Path(path))
    graph = source.guarded(lambda: _read(source, signature))
    verify(graph)
    return graph


def _read(source: Source, signature: str | None) -> Graph:
    main = chosen(source, source.open(), signature)
    prefix = f"subgraph {main}, " if main else ""
    source.turn_to(main)
    try:
        variables = _variables(source, main)
        source.turn_to(main, prefix)
        variables.turn()
        return _graph(source, raw_tensors(source), variables)
    except UnsupportedError as error:
        source.turn_to(main)
        what = explanation(source.model, source.subgraph)
        if what is None:
            raise
        reason = str(error).removeprefix(f"{source.name}: ")
        raise UnsupportedError(f"{source.name}: {what} ({reason})") from error


def _variables(source: Source, main: int) -> Variables:
    """The variables of a subgraph, with what those that it calls once assign."""
    variables = Variables()
    once = initialisations(source)
    if len(once) > _MOST_INITIALISATIONS:
        raise source.damaged(f"it initialises in {len(once)} subgraphs")
    for number in sorted({main, *once}):
        source.turn_to(number)
        find_variables(source, raw_tensors(source), variables)
    for number in once:
        source.turn_to(number, f"subgraph {number}, ")
        variables.turn()
        raw = raw_tensors(source)
        for op in _operators(source, raw, variables):
            if not isinstance(op, AssignVariable) or not raw[op.value].is_constant:
                raise UnsupportedError(
                    f"{source.name}: {op.name} is not supported where variables are initialised; "
                    "what is: constants are assigned"
                )
            variables.initial[variables.handles[op.variable]] = contents(source, raw[op.value])
    return variables


def _operators(source: Source, raw: list[RawTensor], variables: Variables) -> list[Operator]:
    """What is left to run of the open subgraph's operators, on the tensors of the file."""
    made: list[Operator] = []
    found = joined(source, raw)
    for i in source.operators():
        if i in found.within:
            continue
        if (whole := found.at.get(i)) is not None:
            made.append(whole)
            continue
        op = _operator(source, i, raw, variables)
        if op is not None and not fold(source, op, raw):
            made.append(op)
    return made


def _graph(source: Source, raw: list[RawTensor], variables: Variables) -> Graph:
    made = _operators(source, raw, variables)
    source.place = "inputs and outputs"
    inputs, outputs = (
        source.indices(vector, len(raw), optional=False)
        for vector in (source.subgraph.InputsAsNumpy(), source.subgraph.OutputsAsNumpy())
    )
    # Only now is known which tensors are needed.
    numbers: dict[int, int] = {}

    def number(index: int) -> int:
        return numbers.setdefault(index, len(numbers))

    operators = tuple(renumbered(op, number) for op in made)
    inputs, outputs = (tuple(number(i) for i in borders) for borders in (inputs, outputs))
    tensors = tuple(graph_tensor(source, index, raw[index]) for index in numbers)
    return Graph(source.name, tensors, operators, inputs, outputs)


def _operator(
    source: Source, index: int, tensors: list[RawTensor], variables: Variables
) -> Operator | None:
    code, name, table = source.operator(index)
    if (entry := SUPPORTED.get(code)) is None:
        raise UnsupportedError(
            f"{source.name}: operator {index} {kind_name(code)} is not supported: {reason_of(code)}"
        )
    source.place = name
    site = site_of(source, table, code, tensors, variables)
    if (reason := refusal(entry.to_be_read(), site)) is not None:
        found = ", ".join(map(str, site.present()[:4]))
        raise UnsupportedError(
            f"{source.name}: {name} is not supported in this form; "
            f"what is: {reason} (found {found})"
        )
    return entry.convert(name, site, lambda tensor: tensor)
