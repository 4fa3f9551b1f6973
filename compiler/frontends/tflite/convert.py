"""Conversions: an operator of TFLite becomes one of ours.

A conversion asks for the tensors that its operator needs; what it does not ask for does not enter
the graph.
"""

from collections.abc import Callable

from compiler.frontends.tflite.schema import ACTIVATIONS
from compiler.frontends.tflite.site import Site
from npu.model.operators.binary import Add, Mul, Sub
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.product import FullyConnected
from npu.model.references import Operator

Number = Callable[[int], int]
"""Turns the index of a tensor of the file into that of one of the graph."""

Convert = Callable[[str, Site, Number], Operator | None]
"""Makes an operator of a name from a site that fulfils its constraints; None for one of which
nothing is left to run."""


def fully_connected(name: str, site: Site, tensor: Number) -> FullyConnected:
    """FULLY_CONNECTED, with its fused activation."""
    bias = tensor(site.inputs[2]) if site.given(2) else None
    return FullyConnected(
        name,
        tensor(site.inputs[0]),
        tensor(site.inputs[1]),
        bias,
        tensor(site.outputs[0]),
        ACTIVATIONS[site.activation()],
    )


def batch_matmul(name: str, site: Site, tensor: Number) -> BatchMatMul:
    """BATCH_MATMUL; what it does to its inputs is said of the last two dimensions."""
    a, b, output = (tensor(i) for i in (*site.inputs, *site.outputs))
    options = site.options
    adjoint = (False, False) if options is None else (options.AdjX(), options.AdjY())
    return BatchMatMul(name, a, b, output, bool(adjoint[0]), bool(adjoint[1]))


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
