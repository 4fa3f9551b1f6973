"""Coverage of the RTL: lines, branches and toggles from Verilator, and functional bins."""
