"""Windows of images become one value."""

from npu.model.operators.pool import AveragePool2D, MaxPool2D

_REASON = "its windows have no commands on the chip yet; run it on the kernels"

REFUSED = dict.fromkeys((AveragePool2D, MaxPool2D), _REASON)
