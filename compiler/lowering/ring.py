"""The last inputs of a row of calls, in one tensor."""

from npu.model.operators.ring import CircularBuffer

LOWER: dict[type, object] = {}
REFUSED = {CircularBuffer: "the chip does not move elements yet; the kernels do"}
