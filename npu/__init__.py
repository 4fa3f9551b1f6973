"""The specification of the chip and its simulator.

Chip parameters and presets, numerics, instruction set, compressed format, timing, the retire
trace, the cycle-accurate twin (`npu.twin`), trained models (`npu.zoo`) and the command line
(`npu.cli`, the only part that may import the other packages).
"""
