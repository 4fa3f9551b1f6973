"""IF: which of its forms run. `ways` puts together what they become."""

from typing import Any

from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.schema import DTYPES
from compiler.frontends.tflite.site import Site
from compiler.frontends.tflite.source import Source

_MOVED = {t for t in DTYPES if t not in (TensorType.FLOAT32, TensorType.INT4)}
"""Types of what a branch gives."""


def decided(site: Site) -> bool:
    """its condition is constant, or compares one int8 with a constant"""
    if not site.given(0) or site.input(0).type != TensorType.BOOL:
        return False
    return site.input(0).is_constant or site.inputs[0] in site.decisions.known


def known_inputs(site: Site) -> bool:
    """what its graphs take are integers, float32, bool or variables"""
    places = range(1, len(site.inputs))
    return site.given(*places) and all(
        site.inputs[p] in site.variables.handles or site.input(p).type in DTYPES for p in places
    )


def integer_outputs(site: Site) -> bool:
    """what they give are integers or bool"""
    return all(site.output(p).type in _MOVED for p in range(len(site.outputs)))


def has_graphs(site: Site) -> bool:
    """options name both graphs"""
    return site.options is not None


def graphs_of(source: Source, options: Any) -> tuple[int, int]:
    """The subgraphs of an IF at this place: of a condition that holds, and of one that does not.

    Raises ModelError where there is no such subgraph.
    """
    numbers = (
        (-1, -1) if options is None else (options.ThenSubgraphIndex(), options.ElseSubgraphIndex())
    )
    for number in numbers:
        if not 0 <= number < source.model.SubgraphsLength():
            raise source.damaged(f"there is no subgraph {number} to run")
    return numbers


def convert(name: str, site: Site, tensor: Number) -> None:
    """Nothing by itself: its graphs' operators take its place."""
