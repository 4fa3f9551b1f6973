"""A TFLite file becomes a graph, or says why not."""

from pathlib import Path

from compiler.frontends.forms import explanation
from compiler.frontends.tflite.opened import Opened, open_subgraph
from compiler.frontends.tflite.operators import find_variables, initialisations, ways_from
from compiler.frontends.tflite.resources import Variables
from compiler.frontends.tflite.signatures import chosen
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.steps import steps
from compiler.frontends.tflite.tensors import contents, graph_tensor, raw_tensors
from npu.errors import UnsupportedError
from npu.model.graph import Graph
from npu.model.operators.variable import AssignVariable
from npu.model.references import renumbered
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
        variables.turn()
        return _graph(source, open_subgraph(source, main, prefix, variables))
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
    for number in sorted({main, *once, *ways_from(source, main)}):
        source.turn_to(number)
        find_variables(source, raw_tensors(source), variables)
    for number in once:
        variables.turn()
        opened = open_subgraph(source, number, f"subgraph {number}, ", variables)
        raw = opened.raw
        for op in steps(source, opened):
            if not isinstance(op, AssignVariable) or not raw[op.value].is_constant:
                raise UnsupportedError(
                    f"{source.name}: {op.name} is not supported where variables are initialised; "
                    "what is: constants are assigned"
                )
            variables.initial[variables.handles[op.variable]] = contents(source, raw[op.value])
    return variables


def _graph(source: Source, opened: Opened) -> Graph:
    made = steps(source, opened)
    # Only now is known which tensors are needed.
    numbers: dict[int, int] = {}

    def number(index: int) -> int:
        return numbers.setdefault(index, len(numbers))

    operators = tuple(renumbered(op, number) for op in made)
    inputs, outputs = (
        tuple(number(i) for i in borders) for borders in (opened.inputs, opened.outputs)
    )
    tensors = tuple(graph_tensor(source, index, opened.raw[index]) for index in numbers)
    return Graph(source.name, tensors, operators, inputs, outputs)
