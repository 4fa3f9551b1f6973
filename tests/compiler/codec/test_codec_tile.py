"""Tiles: what is packed is what the dealer puts into the banks, and no larger than it must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import Decoders, compress
from compiler.codec.tile import bank_words, pack_tile, read_slots, split_words, tile_words
from npu.chip.tile import HEADER_WORDS, least_front
from npu.chip.weight_format import MAX_STREAM_BITS, STREAM_BITS
from npu.errors import CapacityError
from npu.twin.tile import deal


def random_sections(rng, lanes, threads, shortest, spread):
    """Any words behind directories whose row bases are right."""
    sections, base = [], 0
    for _ in range(lanes):
        size = 2 * threads + shortest + int(rng.integers(spread + 1))
        section = rng.integers(0, 1 << 32, size, np.uint32)
        for thread in range(threads):
            rows = int(rng.integers(0, 4))
            run, value = (int(rng.integers(MAX_STREAM_BITS + 1)) if rows else 0 for _ in range(2))
            section[2 * thread] = rows << STREAM_BITS | run
            section[2 * thread + 1] = base << STREAM_BITS | value
            base += rows
        sections.append(section)
    return sections


def banks_of(sections, threads, bus_words, first=2):
    """The banks with a tile of these sections at bus word `first`, and the tile."""
    image = np.frombuffer(pack_tile(sections, threads, bus_words), np.uint32)
    need = bank_words([len(section) for section in sections], threads, bus_words)
    banks = np.full((len(sections), first + need + 1, bus_words), 7, np.uint32)
    dealt = deal(image, banks, first, threads)
    assert dealt.fault == 0, dealt.problem
    assert dealt.ends.max() == first + need
    assert (banks[:, :first] == 7).all() and (banks[:, -1] == 7).all()
    return banks[:, first:].reshape(len(sections), -1), image


@given(
    st.integers(0, 2**32 - 1).map(np.random.default_rng),
    st.integers(1, 9),
    st.integers(2, 6),
    st.sampled_from([0, 1, 2, 5, 40]),
    st.sampled_from([0, 1, 3, 30]),
    st.sampled_from([1, 2, 4, 8, 16]),
)
def test_what_is_packed_is_dealt(rng, lanes, threads, shortest, spread, bus_words):
    sections = random_sections(rng, lanes, threads, shortest, spread)
    banks, image = banks_of(sections, threads, bus_words)
    for section, bank in zip(sections, banks, strict=True):
        np.testing.assert_array_equal(bank[: len(section)], section)
        # Zeros up to the end of its last bus word.
        rest = bank[len(section) :]
        assert not rest[: -len(section) % bus_words].any()
    sizes = np.array([len(section) for section in sections])
    words, front = tile_words(read_slots(sections, threads), sizes, lanes, bus_words)
    assert words == len(image)
    assert HEADER_WORDS <= front <= words


def test_no_word_of_padding_but_the_front_s():
    rng = np.random.default_rng(1)
    for bus_words in (2, 4, 8):
        sections = random_sections(rng, 16, 2, 60, 5)
        sizes = np.array([len(section) for section in sections])
        words, front = tile_words(read_slots(sections, 2), sizes, 16, bus_words)
        streams = int(sizes.sum()) - 16 * 4
        assert words == -(-(front + streams) // bus_words) * bus_words


def test_bodies_are_all_empty_or_none_is():
    bodies, tails = split_words(np.array([4, 5, 7]), 2, 4)
    assert (bodies.tolist(), tails.tolist()) == ([0, 0, 0], [0, 1, 3])
    bodies, tails = split_words(np.array([4, 5, 8]), 2, 4)
    assert (bodies.tolist(), tails.tolist()) == ([1, 1, 1], [0, 0, 0])


def test_sections_too_unlike_in_length_are_refused():
    sections = [np.zeros(4, np.uint32), np.zeros(4 + 4 * 65538, np.uint32)]
    with pytest.raises(CapacityError, match="of 65538 bus words beside one of 1: split the matrix"):
        pack_tile(sections, 2, 4)
    assert pack_tile(sections[1:], 2, 4)


def test_nothing_at_all_is_a_front():
    packed = compress(np.zeros((0, 7), np.int8), Decoders(16, 2, 16))
    assert len(packed.tile(16)) == 16 * least_front(4)


@pytest.mark.parametrize(
    ("rows", "columns", "most"), [(32, 32, 1.5), (64, 64, 1.05), (64, 128, 1.0), (128, 128, 1.0)]
)
@pytest.mark.parametrize("kind", ["laplace", "normal"])
def test_small_matrices_beside_vela(kind, rows, columns, most):
    """75 % zeros, 8 bits, on `edge`; everything that both need is counted."""
    codec = pytest.importorskip("ethosu.mlw_codec", reason="the extra bench is not installed")
    values = getattr(np.random.default_rng(20261121), kind)(size=(rows, columns))
    values[np.abs(values) < np.quantile(np.abs(values), 0.75)] = 0
    weights = np.rint(values / np.abs(values).max() * 127).astype(np.int8)
    ours = compress(weights).stats(16).total_bits / 8
    assert ours <= most * len(codec.encode(weights.reshape(-1).tolist()))
