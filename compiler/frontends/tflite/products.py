"""Products of matrices: their constraints, and what they become."""

from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.schema import ACTIVATIONS
from compiler.frontends.tflite.site import Site
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.product import FullyConnected


def one_scale_of_int4(site: Site) -> bool:
    """int4 weights have one scale"""
    return site.input(1).type != TensorType.INT4 or site.input(1).scales == 1


def plain_weights_format(site: Site) -> bool:
    """weights are stored in the default order"""
    return site.options is None or site.options.WeightsFormat() == 0


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
