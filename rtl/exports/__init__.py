"""What goes with the chip's Verilog, a file a module: header, constraints, core file, bench."""
