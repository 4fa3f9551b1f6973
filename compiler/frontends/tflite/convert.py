"""Conversions: an operator of TFLite becomes one of ours.

A conversion asks for the tensors that its operator needs; what it does not ask for does not enter
the graph.
"""

from collections.abc import Callable

from tflite.TensorType import TensorType

from compiler.frontends.tflite.schema import ACTIVATIONS
from compiler.frontends.tflite.site import Site
from npu.model.operators.binary import Add, Mul, Sub
from npu.model.operators.wide import WideMul
from npu.model.references import Operator

Number = Callable[[int], int]
"""Turns the index of a tensor of the file into that of one of the graph."""

Convert = Callable[[str, Site, Number], Operator | None]
"""Makes an operator of a name from a site that fulfils its constraints; None for one of which
nothing is left to run."""


def binary(kind: type[Add] | type[Sub]) -> Convert:
    """An element-wise operator of two tensors, with its fused activation."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        a, b, output = (tensor(i) for i in (*site.inputs, *site.outputs))
        return kind(name, a, b, output, ACTIVATIONS[site.activation()])

    return convert


def wide(usual: Convert, kind: Callable[..., Operator]) -> Convert:
    """Of int8 what `usual` makes, of int16 `kind` with the same tensors."""

    def convert(name: str, site: Site, tensor: Number) -> Operator | None:
        if site.output().type != TensorType.INT16:
            return usual(name, site, tensor)
        return kind(name, *(tensor(i) for i in (*site.inputs, *site.outputs)))

    return convert


def wide_product(name: str, site: Site, tensor: Number) -> Operator:
    """MUL of int8 or of int16, with its fused activation."""
    kind = WideMul if site.output().type == TensorType.INT16 else Mul
    a, b, output = (tensor(i) for i in (*site.inputs, *site.outputs))
    return kind(name, a, b, output, ACTIVATIONS[site.activation()])


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
