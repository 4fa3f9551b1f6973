"""Conversions: an operator of TFLite becomes one of ours.

A conversion asks for the tensors that its operator needs; what it does not ask for does not enter
the graph.
"""

from collections.abc import Callable

from compiler.frontends.tflite.schema import ACTIVATIONS
from compiler.frontends.tflite.site import Site
from npu.model.operators.binary import Add, Mul, Sub
from npu.model.references import Operator

Number = Callable[[int], int]
"""Turns the index of a tensor of the file into that of one of the graph."""

Convert = Callable[[str, Site, Number], Operator | None]
"""Makes an operator of a name from a site that fulfils its constraints; None for one of which
nothing is left to run."""


def binary(kind: type[Add] | type[Sub] | type[Mul]) -> Convert:
    """An element-wise operator of two tensors, with its fused activation."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        a, b, output = (tensor(i) for i in (*site.inputs, *site.outputs))
        return kind(name, a, b, output, ACTIVATIONS[site.activation()])

    return convert


def pair(kind: Callable[[str, int, int, int], Operator]) -> Convert:
    """An element-wise operator of two tensors without a fused activation."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        return kind(name, *(tensor(i) for i in (*site.inputs, *site.outputs)))

    return convert


def unary(kind: Callable[[str, int, int], Operator]) -> Convert:
    """An operator of one tensor; further inputs, such as a new shape, are not needed."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        return kind(name, tensor(site.inputs[0]), tensor(site.outputs[0]))

    return convert
