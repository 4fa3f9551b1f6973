"""The chip in Amaranth: a room per unit, one component per file, sized by `npu`'s parameters.

`top` wires the units; `export` writes the chip as Verilog, `driver` works its registers on any bus.
Constants, layouts and the instruction table are imported from `npu`, never repeated. Needs the
`rtl` extra.
"""
