"""The passes behind lowering: from a program of a model to the bytes of an image.

`link` lowers a program's graphs and joins them, `weights` cuts their matrices into tiles (`tiles`)
and decides which stay in the banks, `allocate` places the buffers in SRAM, `schedule` turns
operators into commands with the transfers that they need (`branches` has loops and gates,
`assembler` writes all of it down), `emit` makes the image. `verify` checks what each of them has
made. `compiler/compile.py` has their order.
"""
