"""Whole rows become rows: nothing of it on the chip yet."""

from compiler.lowering.site import NO_COMMAND
from npu.model.operators.normalise import PARAMETERS

REFUSED = dict.fromkeys(PARAMETERS, NO_COMMAND)
