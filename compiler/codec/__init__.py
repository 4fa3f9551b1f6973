"""The weight codec: int8 matrices to the bits of `npu/format.py`, and back.

`choose_sets` searches the code sets of dealt matrices, `encode` writes the sections of the lanes.
The decode step itself is `npu.twin.decoder`, which the simulated chip runs too.
"""

from compiler.codec.codebook import code_lengths, code_table, codes
from compiler.codec.packed import Packed, Stats, decode_sections, encode, entropy_bits
from compiler.codec.tables import choose_sets

__all__ = [
    "Packed",
    "Stats",
    "choose_sets",
    "code_lengths",
    "code_table",
    "codes",
    "decode_sections",
    "encode",
    "entropy_bits",
]
