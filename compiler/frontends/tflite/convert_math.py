"""Conversions of operators that compute, where more than their tensors matters."""

from collections.abc import Callable

from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Convert, Number
from compiler.frontends.tflite.site import Site
from npu.model.operators.normalise import Softmax
from npu.model.operators.real_function import RealFunction
from npu.model.operators.table import Elu, LeakyRelu
from npu.model.references import Operator


def leaky_relu(name: str, site: Site, tensor: Number) -> LeakyRelu:
    """LEAKY_RELU with its slope, which is 0 where nothing is said."""
    alpha = 0.0 if site.options is None else site.options.Alpha()
    return LeakyRelu(name, tensor(site.inputs[0]), tensor(site.outputs[0]), float(alpha))


def softmax(name: str, site: Site, tensor: Number) -> Softmax:
    """SOFTMAX with its factor."""
    beta = 0.0 if site.options is None else site.options.Beta()
    return Softmax(name, tensor(site.inputs[0]), tensor(site.outputs[0]), float(beta))


def reduction(kind: Callable[[str, int, int, tuple[int, ...]], Operator]) -> Convert:
    """An operator along axes, each once; whether they are kept shows in the output's shape."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        axes = tuple(sorted(set(_axes(site))))
        return kind(name, tensor(site.inputs[0]), tensor(site.outputs[0]), axes)

    return convert


def search(kind: Callable[[str, int, int, int], Operator]) -> Convert:
    """An operator along one axis."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        axes = _axes(site)
        site.require(len(axes) == 1, f"it must have one axis, not {len(axes)}")
        return kind(name, tensor(site.inputs[0]), tensor(site.outputs[0]), axes[0])

    return convert


def real(function: str) -> Convert:
    """A function of float32."""

    def convert(name: str, site: Site, tensor: Number) -> Operator:
        return RealFunction(name, tensor(site.inputs[0]), tensor(site.outputs[0]), function)

    return convert


def elu(name: str, site: Site, tensor: Number) -> Operator | None:
    """ELU, of int8 or of float32."""
    if site.input(0).type == TensorType.FLOAT32:
        return real("ELU")(name, site, tensor)
    return Elu(name, tensor(site.inputs[0]), tensor(site.outputs[0]))


def _axes(site: Site) -> list[int]:
    """The axes that the second input names, which may be counted from the end."""
    rank = len(site.input(0).shape)
    return [site.axis(value, rank) for value in site.numbers(1)]
