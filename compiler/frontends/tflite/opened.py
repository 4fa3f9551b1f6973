"""A subgraph of a file while its operators are read."""

from dataclasses import dataclass

from tflite.BuiltinOperator import BuiltinOperator

from compiler.frontends.tflite.decisions import Decisions
from compiler.frontends.tflite.resources import Variables
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor, raw_tensors
from compiler.frontends.tflite.written import written_operators


@dataclass
class Opened:
    """A subgraph, with what is found out about it.

    Attributes
    ----------
    number, prefix : the subgraph's, and what the names of its operators begin with
    raw : its tensors; more are added, and what is known of them changes, while it is read
    inputs, outputs : of the subgraph
    """

    number: int
    prefix: str
    raw: list[RawTensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    variables: Variables
    decisions: Decisions


def open_subgraph(source: Source, number: int, prefix: str, variables: Variables) -> Opened:
    """Turn to a subgraph. Raises ModelError for indices in it that cannot be."""
    source.turn_to(number, prefix)
    raw = raw_tensors(source)
    operators = written_operators(source, len(raw))
    source.place = f"{prefix}inputs and outputs"
    inputs, outputs = (
        source.indices(vector, len(raw), optional=False)
        for vector in (source.subgraph.InputsAsNumpy(), source.subgraph.OutputsAsNumpy())
    )
    read = set(outputs)
    for op in operators:
        if op.code != BuiltinOperator.IF:
            read.update(op.inputs)
    decisions = Decisions({}, frozenset(read))
    return Opened(number, prefix, raw, inputs, outputs, variables, decisions)
