"""Variables: states that several operators of a graph read and write."""

from npu.model.operators.variable import AssignVariable, ReadVariable

LOWER: dict[type, object] = {}
REFUSED = dict.fromkeys(
    (ReadVariable, AssignVariable), "the chip has no variables yet; the kernels have"
)
