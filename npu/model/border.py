"""Borders between graphs: one's output becomes another's input.

Where their scales differ, TensorFlow Lite's int8 QUANTIZE stands between; it is prepared here, once
for every engine.
"""

from npu.errors import ModelError
from npu.model.graph import Tensor
from npu.model.operators.rescale import RescaleParams, requantisation


def crossing(source: Tensor, target: Tensor, where: str) -> RescaleParams | None:
    """How int8 values of `source` become those of `target`; None: as they are.

    Raises ModelError, which begins with `where`, for tensors of other sizes or types, or for scales
    whose ratio cannot be expressed.
    """
    if source.size != target.size:
        raise ModelError(f"{where}: sizes must be equal, not {source.size} and {target.size}")
    for tensor in (source, target):
        if tensor.dtype != "int8" or tensor.quantization is None:
            raise ModelError(f"{where}: tensor {tensor.name!r} must be quantised int8")
    assert source.quantization is not None and target.quantization is not None
    if source.quantization.same_as(target.quantization):
        return None
    return requantisation(source.quantization, target.quantization, where)
