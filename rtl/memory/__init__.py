"""The chip's memories, and block RAM as synthesis tools build it.

`ram` is the one way to write a block RAM; `memories` are vector SRAM, parameter and program memory
with the widths of their users. The weight banks belong to their lanes.
"""
