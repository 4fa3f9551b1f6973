"""Compressed matrices as bytes: the same again, and every damaged bit is seen."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import Decoders, Packed, compress
from compiler.codec.stored import HEADER_BYTES
from npu.errors import ImageError

DECODERS = Decoders(2, 2, 8)


def sample(rows=12, columns=30, density=0.3, decoders=DECODERS):
    rng = np.random.default_rng(1)
    weights = rng.integers(-99, 99, (rows, columns)) * (rng.random((rows, columns)) < density)
    return compress(weights.astype(np.int8), decoders)


PACKED = sample()
STORED = PACKED.to_bytes()


@pytest.mark.parametrize("shape", [(12, 30), (0, 5), (5, 0), (0, 0), (1, 1), (3, 2_000)])
@pytest.mark.parametrize("decoders", [Decoders(), Decoders(1, 3, 4)])
def test_the_same_again(shape, decoders):
    packed = sample(*shape, decoders=decoders)
    again = Packed.from_bytes(packed.to_bytes())
    assert again == packed
    assert hash(again) == hash(packed)
    assert again.bus_bytes == decoders.bus_bytes
    assert again.tile() == packed.tile(decoders.bus_bytes)
    assert again.stats() == packed.stats(decoders.bus_bytes)
    assert np.array_equal(again.decode(), packed.decode())


def test_what_is_equal():
    assert sample() == PACKED
    assert sample(density=0.31) != PACKED
    assert PACKED != STORED
    for field in dataclasses.fields(Packed):
        value = getattr(PACKED, field.name)
        other = value + 1 if isinstance(value, (int, np.ndarray)) else value[1:]
        assert dataclasses.replace(PACKED, **{field.name: other}) != PACKED, field.name


def test_every_flipped_bit_is_seen():
    """`decode` alone sees one of three of those in sections."""
    for bit in range(8 * len(STORED)):
        damaged = bytearray(STORED)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ImageError):
            Packed.from_bytes(damaged)


def test_every_length_but_the_right_one():
    for length in range(len(STORED)):
        with pytest.raises(ImageError):
            Packed.from_bytes(STORED[:length])
    with pytest.raises(ImageError, match="bytes, the header says"):
        Packed.from_bytes(STORED + b"\0")


def sealed(damaged: bytearray) -> bytes:
    """With checksums that fit: what nobody but a forger writes."""
    at = HEADER_BYTES
    for part in range(3):
        place = HEADER_BYTES - 4 - 8 * (3 - part)
        (size,) = struct.unpack_from("<I", damaged, place)
        struct.pack_into("<I", damaged, place + 4, zlib.crc32(damaged[at : at + size]))
        at += size
    struct.pack_into("<I", damaged, HEADER_BYTES - 4, zlib.crc32(damaged[: HEADER_BYTES - 4]))
    return bytes(damaged)


@given(st.data())
def test_forged_bytes_are_refused_or_decode(data):
    damaged = bytearray(STORED)
    # Anything but the columns, which say how large the weights are.
    places = st.integers(6, 11) | st.integers(20, HEADER_BYTES - 29)
    places |= st.integers(HEADER_BYTES, len(STORED) - 1)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(places)] = data.draw(st.integers(0, 255))
    try:
        weights = Packed.from_bytes(sealed(damaged)).decode()
    except ImageError:
        return
    assert weights.shape == PACKED.shape


def test_other_versions_say_so():
    damaged = bytearray(STORED)
    damaged[4] = 9
    with pytest.raises(ImageError, match="a compressed matrix of version 9, format"):
        Packed.from_bytes(sealed(damaged))
    with pytest.raises(ImageError, match="4 bytes that do not start as a compressed matrix does"):
        Packed.from_bytes(b"TFL3")
