"""The weight codec: int8 matrices to the bits of `npu/format.py`, and back.

`choose_tables` searches the two code tables of one or more matrices, `row_symbols` says how many
decode cycles each row will take (what rows are dealt by), and `encode` writes the sections of the
lanes. The decode step itself is `npu.twin.decoder`, which the simulated chip runs too.
"""

from compiler.codec.codebook import code_lengths, code_table, codes
from compiler.codec.packed import Packed, Stats, decode_section, encode, entropy_bits
from compiler.codec.symbols import row_symbols
from compiler.codec.tables import choose_tables

__all__ = [
    "Packed",
    "Stats",
    "choose_tables",
    "code_lengths",
    "code_table",
    "codes",
    "decode_section",
    "encode",
    "entropy_bits",
    "row_symbols",
]
