"""Bit-exact kernels: what a quantised graph must answer, with no knowledge of the chip.

`Interpreter` runs one graph, `Transducer` the three that a search asks. Both reproduce TensorFlow
Lite Micro in every bit. The loops are compiled by numba; every rounding in them comes from
`npu.model.numerics`, every parameter from `npu.model.quantisation`. Nothing depends on thread
count, vector width or call history beyond the LSTM states, so a result can be reproduced anywhere.
Each room of `npu.model.operators` has one of its name here, whose `PREPARE` says how its operators
run; `engines` holds the loops that several need.
"""

from kernels.interpreter import Interpreter
from kernels.transducer import Transducer

__all__ = ["Interpreter", "Transducer"]
