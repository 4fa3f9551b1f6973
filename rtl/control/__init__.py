"""The chip as the host sees it: registers behind AXI4-Lite.

`registers` is the table of the registers, `axilite` the bus, `control` what the registers do.
"""
