"""A TFLite file becomes a graph, or says why not."""

from pathlib import Path

from compiler.frontends.forms import explanation, several
from compiler.frontends.tflite.fold import fold
from compiler.frontends.tflite.islands import without_islands
from compiler.frontends.tflite.operators import refusal, site_of
from compiler.frontends.tflite.source import Source, kind_name
from compiler.frontends.tflite.table import SUPPORTED, supported_operators
from compiler.frontends.tflite.tensors import RawTensor, graph_tensor, raw_tensors
from npu.errors import UnsupportedError
from npu.model.graph import Graph
from npu.model.references import Operator, renumbered
from npu.model.verify import verify
from npu.text import printable


def read_tflite(path: str | Path) -> Graph:
    """Read a fully quantised `.tflite` model.

    Parameters
    ----------
    path : the file; its name becomes the graph's name

    Raises
    ------
    ModelError
        If the file cannot be read, is damaged, or is not a legal graph.
    UnsupportedError
        If it is sound but asks for an operator, or a form of one, that is not in
        `supported_operators`.
    """
    source = Source(Path(path))
    graph = source.guarded(lambda: _read(source))
    verify(graph)
    return graph


def _read(source: Source) -> Graph:
    if (count := source.open()) != 1:
        raise UnsupportedError(
            f"{source.name}: a model must have one subgraph, not {count}; "
            f"{printable(several(source.model))}"
        )
    source.turn_to(0)
    raw = raw_tensors(source)
    try:
        return _graph(source, raw)
    except UnsupportedError as error:
        what = explanation(source.model, source.subgraph)
        if what is None:
            raise
        reason = str(error).removeprefix(f"{source.name}: ")
        raise UnsupportedError(f"{source.name}: {what} ({reason})") from error


def _graph(source: Source, raw: list[RawTensor]) -> Graph:
    made = []
    for i in source.operators():
        op = _operator(source, i, raw)
        if op is not None and not fold(source, op, raw):
            made.append(op)
    source.place = "inputs and outputs"
    inputs, outputs = (
        source.indices(vector, len(raw), optional=False)
        for vector in (source.subgraph.InputsAsNumpy(), source.subgraph.OutputsAsNumpy())
    )
    made = without_islands(made, outputs, raw)
    # Only now is known which tensors are needed.
    numbers: dict[int, int] = {}

    def number(index: int) -> int:
        return numbers.setdefault(index, len(numbers))

    operators = tuple(renumbered(op, number) for op in made)
    inputs, outputs = (tuple(number(i) for i in borders) for borders in (inputs, outputs))
    tensors = tuple(graph_tensor(source, index, raw[index]) for index in numbers)
    return Graph(source.name, tensors, operators, inputs, outputs)


def _operator(source: Source, index: int, tensors: list[RawTensor]) -> Operator | None:
    code, name, table = source.operator(index)
    if (entry := SUPPORTED.get(code)) is None:
        names = ", ".join(name for name, _ in supported_operators())
        raise UnsupportedError(
            f"{source.name}: operator {index} {kind_name(code)} is not supported; "
            f"supported: {names}"
        )
    source.place = name
    site = site_of(source, table, code, tensors)
    if (reason := refusal(entry.to_be_read(), site)) is not None:
        found = ", ".join(map(str, site.present()[:4]))
        raise UnsupportedError(
            f"{source.name}: {name} is not supported in this form; "
            f"what is: {reason} (found {found})"
        )
    return entry.convert(name, site, lambda tensor: tensor)
