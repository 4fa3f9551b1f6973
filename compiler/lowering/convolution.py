"""Products of filters with windows of images."""

from npu.model.operators.convolution import Conv2D, DepthwiseConv2D, TransposeConv

_REASON = "its windows have no commands on the chip yet; run it on the kernels"

REFUSED = dict.fromkeys((Conv2D, DepthwiseConv2D, TransposeConv), _REASON)
