"""Borders between graphs: one's output becomes another's input.

Where their scales differ, TensorFlow Lite's int8 QUANTIZE stands between; it is prepared here, once
for every engine.
"""

from npu.errors import ModelError
from npu.model.graph import Graph, Tensor
from npu.model.operators.rescale import RescaleParams, requantisation


def frames_out(encoder: Graph, joiner: Graph) -> int:
    """How many vectors of the joiner's first input an encoder call gives: 1 also where they do not
    fit together, which `crossing` says.
    """
    given, taken = encoder.tensors[encoder.outputs[0]], joiner.tensors[joiner.inputs[0]]
    whole = taken.size > 0 and given.size > 0 and given.size % taken.size == 0
    return given.size // taken.size if whole else 1


def crossing(source: Tensor, target: Tensor, where: str, frames: int = 1) -> RescaleParams | None:
    """How int8 values of `source` become those of `target`; None: as they are.

    frames : times that `source` holds what `target` takes, one behind the other.

    Raises ModelError, which begins with `where`, for tensors of other sizes or types, or for scales
    whose ratio cannot be expressed.
    """
    if source.size != frames * target.size:
        raise ModelError(
            f"{where}: sizes must be equal, not {source.size} and {frames * target.size}"
        )
    for tensor in (source, target):
        if tensor.dtype != "int8" or tensor.quantization is None:
            raise ModelError(f"{where}: tensor {tensor.name!r} must be quantised int8")
    assert source.quantization is not None and target.quantization is not None
    if source.quantization.same_as(target.quantization):
        return None
    return requantisation(source.quantization, target.quantization, where)
