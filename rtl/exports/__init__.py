"""What goes with the chip's Verilog, a file a module: header, constraints, cores, bench, LiteX."""
