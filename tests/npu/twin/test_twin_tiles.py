"""Tiles with flipped bits: all are told, and nothing of them gets into the banks."""

import numpy as np
import pytest

from compiler.codec import Decoders, compress
from npu.chip.params import load_params
from npu.chip.tile import CHECKSUM_WORD
from npu.twin.front import TILE_FAULTS
from npu.twin.tile import deal

CHECKSUM = 9
FLIPS = 1000


def small_tile(bus_bytes: int) -> np.ndarray:
    rng = np.random.default_rng(bus_bytes)
    weights = rng.integers(-9, 10, (12, 20)) * (rng.random((12, 20)) < 0.4)
    made = compress(weights.astype(np.int8), Decoders(4, 2, bus_bytes)).tile(bus_bytes)
    return np.frombuffer(made, np.uint32)


def fault_of(tile: np.ndarray, bus_bytes: int) -> int:
    """What the twin says; nothing is written where it says something."""
    banks = np.full((4, load_params("tiny").bank_bytes // bus_bytes, bus_bytes // 4), 7, np.uint32)
    dealt = deal(tile, banks, 2, 2)
    assert bool(dealt.fault) == bool(dealt.problem) == bool((banks == 7).all())
    return dealt.fault


@pytest.mark.parametrize("bus_bytes", [8, 32])
def test_every_single_flip_is_told(bus_bytes):
    tile = small_tile(bus_bytes)
    assert fault_of(tile, bus_bytes) == 0
    alone = 0
    for bit in range(32 * len(tile)):
        broken = tile.copy()
        broken[bit // 32] ^= np.uint32(1 << bit % 32)
        fault = fault_of(broken, bus_bytes)
        assert fault, bit
        alone += fault == CHECKSUM
    # Most of them nothing else tells.
    assert alone > 16 * len(tile)


@pytest.mark.parametrize("bus_bytes", [8, 32])
def test_several_flips_are_told(bus_bytes):
    tile, rng = small_tile(bus_bytes), np.random.default_rng(1)
    for n in range(FLIPS):
        broken = tile.copy()
        for bit in rng.choice(32 * len(tile), 2 + n % 40, replace=False):
            broken[bit // 32] ^= np.uint32(1 << int(bit) % 32)
        assert fault_of(broken, bus_bytes), n


def test_the_message_says_both_checksums():
    tile = small_tile(8).copy()
    said = int(tile[CHECKSUM_WORD])
    tile[CHECKSUM_WORD] ^= 1
    banks = np.zeros((4, 512, 2), np.uint32)
    dealt = deal(tile, banks, 2, 2)
    assert dealt.fault == CHECKSUM in TILE_FAULTS
    assert (
        dealt.problem == f"the tile's checksum is {said ^ 1:#010x}, that of its bytes {said:#010x}"
    )
