"""The weight codec: int8 matrices to the bits of `npu/chip/weight_format.py`, and back.

    packed = compress(weights)          # deals rows, chooses codes, encodes
    compress(weights, cycle_bits=BYTES_FIRST)   # fewest bytes, where zeros are few
    tiles = compress_rows(blocks)       # the same for rows as they come, a tile at a time
    packed.decode()                     # the weights again
    packed.stats()                      # every bit accounted for
    Packed.from_bytes(packed.to_bytes())   # with checksums
    packed.tile()                       # the bytes of the sections
    pack_block(packed.sets, scales)     # those of the codes, of npu.chip.weight_format

`encode` takes dealt rows and given codes, `choose_sets` searches codes for dealt rows, `arrange`
deals. How a decoder works is in `compiler/codec/README.md`; its step is `npu.twin.decoder`, which
the simulated chip runs too.
"""

from compiler.codec.arrange import arrange
from compiler.codec.codebook import code_lengths, code_table, codes
from compiler.codec.compress import Decoders, compress, compress_rows
from compiler.codec.packed import Packed, Stats, encode, entropy_bits
from compiler.codec.reading import decode_sections
from compiler.codec.symbols import BYTES_FIRST, CYCLE_BITS, CYCLES_FIRST
from compiler.codec.tables import choose_sets

__all__ = [
    "BYTES_FIRST",
    "CYCLES_FIRST",
    "CYCLE_BITS",
    "Decoders",
    "Packed",
    "Stats",
    "arrange",
    "choose_sets",
    "code_lengths",
    "code_table",
    "codes",
    "compress",
    "compress_rows",
    "decode_sections",
    "encode",
    "entropy_bits",
]
