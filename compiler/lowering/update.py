"""A part of a tensor read or replaced, at a place that is only known when it runs."""

from npu.model.operators.update import ReadSlice, UpdateSlice

LOWER: dict[type, object] = {}
REFUSED = dict.fromkeys(
    (UpdateSlice, ReadSlice), "the chip does not move elements yet; the kernels do"
)
