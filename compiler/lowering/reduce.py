"""Many elements become one: nothing of it on the chip yet."""

from compiler.lowering.site import NO_COMMAND
from npu.model.operators.reduce import PARAMETERS

REFUSED = dict.fromkeys(PARAMETERS, NO_COMMAND)
