"""A part of a tensor replaced, at a place that is only known when it runs."""

from npu.model.operators.update import UpdateSlice

LOWER: dict[type, object] = {}
REFUSED = {UpdateSlice: "the chip does not move elements yet; the kernels do"}
