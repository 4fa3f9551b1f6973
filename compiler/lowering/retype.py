"""The same real values in another type: the host does it at the borders of a model."""

from npu.model.operators.retype import FromReal, Requantize, ToReal

LOWER: dict[type, object] = {}
REFUSED = dict.fromkeys(
    (Requantize, FromReal, ToReal),
    "the chip takes and gives int8; the kernels run it (--engine kernels)",
)
