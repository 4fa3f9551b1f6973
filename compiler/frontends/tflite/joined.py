"""Operators of a file that together are one of a graph: islands of real numbers, and tables."""

from collections.abc import Sequence
from dataclasses import dataclass

from compiler.frontends.tflite.islands import islands
from compiler.frontends.tflite.lookups import lookups
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor
from compiler.frontends.tflite.written import unneeded, written_operators
from npu.model.references import Operator


@dataclass(frozen=True)
class Joined:
    """Those of a subgraph.

    Attributes
    ----------
    at : what several are, by the last one of them
    within : the others of them that nothing else needs
    """

    at: dict[int, Operator]
    within: frozenset[int]


def joined(source: Source, tensors: Sequence[RawTensor]) -> Joined:
    """What of the open subgraph's operators several are one.

    Raises ModelError for indices and contents that cannot be.
    """
    operators = written_operators(source, len(tensors))
    outputs = source.indices(source.subgraph.OutputsAsNumpy(), len(tensors), optional=False)
    at: dict[int, Operator] = {}
    inside: set[int] = set()
    for search in (islands, lookups):
        found, parts = search(source, operators, tensors)
        at |= found
        inside |= parts
    return Joined(at, unneeded(operators, outputs, at, inside))
