"""The vector unit: element-wise commands on vector SRAM.

`vector` is the unit, `vector_control` what it knows of a command before its first element, `alu`
the arithmetic of an element, `lookup` the interpolated tables, `argmax` the largest element.
"""
