"""Conversions of operators that compute, where more than their tensors matters."""

from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.site import Site
from npu.model.operators.normalise import Softmax
from npu.model.operators.table import LeakyRelu


def leaky_relu(name: str, site: Site, tensor: Number) -> LeakyRelu:
    """LEAKY_RELU with its slope, which is 0 where nothing is said."""
    alpha = 0.0 if site.options is None else site.options.Alpha()
    return LeakyRelu(name, tensor(site.inputs[0]), tensor(site.outputs[0]), float(alpha))


def softmax(name: str, site: Site, tensor: Number) -> Softmax:
    """SOFTMAX with its factor."""
    beta = 0.0 if site.options is None else site.options.Beta()
    return Softmax(name, tensor(site.inputs[0]), tensor(site.outputs[0]), float(beta))
