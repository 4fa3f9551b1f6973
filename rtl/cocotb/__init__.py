"""A cocotb bench for the exported Verilog, on Icarus and Verilator.

`driver.Host` works the chip's registers, `memory.Memory` answers its bus with the timing of the
specification, `scoreboard.Scoreboard` makes retire records of what the debug port shows.
`machine.BenchMachine` puts them behind the interface that all machines have, so that any session
drives the chip. `bench` is the test that runs an image and compares it with the twin; `runner`
builds and starts it, also as `python -m rtl.cocotb IMAGE.npu`. Only `runner` is meant to be
imported outside a simulation.
"""
