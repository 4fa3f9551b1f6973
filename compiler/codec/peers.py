"""What others make of the same matrices: sizes in bytes, and the coders that can be installed.

`SIZES` are formats that anyone can count; `coders` are programs. A peer is counted as kindly as it
allows: EIE without its column pointers, Vela without its stream of biases and scales.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

EIE_INDEX_BITS = 4
VALUE_BITS = 8


def csr_bytes(weights: np.ndarray) -> int:
    """Compressed rows: a value, a column of 1 or 2 bytes, 4 bytes per row for where it starts."""
    rows, columns = weights.shape
    index = 1 if columns <= 256 else 2
    return int(np.count_nonzero(weights)) * (1 + index) + 4 * (rows + 1)


def bitmask_bytes(weights: np.ndarray) -> int:
    """A bit per weight, then the nonzero bytes."""
    return -(-weights.size // 8) + int(np.count_nonzero(weights))


def eie_bytes(weights: np.ndarray) -> int:
    """Relative index of 4 bits with an 8-bit value, column by column (S. Han et al., "EIE", 2016).

    A run of more than 15 zeros takes an explicit zero every 16 places.
    """
    places = np.flatnonzero(np.ascontiguousarray(weights.T))
    gaps = np.diff(places, prepend=-1) - 1
    entries = len(places) + int(np.sum(gaps >> EIE_INDEX_BITS))
    return -(-entries * (EIE_INDEX_BITS + VALUE_BITS) // 8)


SIZES: dict[str, Callable[[np.ndarray], int]] = {
    "CSR": csr_bytes,
    "bitmask": bitmask_bytes,
    "EIE": eie_bytes,
}


@dataclass(frozen=True)
class Coder:
    """A program that compresses weights.

    Attributes
    ----------
    prepare : from a matrix (rows, columns) int8 to what `encode` takes.
    encode : to bytes.
    decode : from bytes and the number of weights back to weights in the order of rows.
    """

    prepare: Callable[[np.ndarray], Any]
    encode: Callable[[Any], bytes | bytearray]
    decode: Callable[[Any, int], Any]


def coders() -> dict[str, Coder]:
    """The coders that are installed; all of them with the extra `bench`."""
    found: dict[str, Coder] = {}
    if find_spec("ethosu") is not None:
        from ethosu import mlw_codec

        found["Vela"] = Coder(
            prepare=lambda weights: weights.reshape(-1).tolist(),
            encode=mlw_codec.encode,
            # What it returns is padded with zeros.
            decode=lambda data, count: mlw_codec.decode(data)[:count],
        )
    if find_spec("zstandard") is not None:
        import zstandard

        found["zstd"] = Coder(
            prepare=lambda weights: weights.tobytes(),
            encode=zstandard.ZstdCompressor(level=19).compress,
            decode=lambda data, count: zstandard.ZstdDecompressor().decompress(data),
        )
    return found
