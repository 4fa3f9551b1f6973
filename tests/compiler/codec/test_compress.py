"""The codec in one call: round trips, statistics, the same bytes every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compiler.codec import Decoders, compress
from npu.format import SCALE_DTYPE, pack_block, unpack_block

SHAPES = st.tuples(st.integers(0, 20), st.integers(0, 40))
EXTREMES = st.sampled_from([-128, -1, 0, 0, 0, 1, 127])
DECODERS = st.sampled_from([Decoders(), Decoders(1, 2, 8), Decoders(4, 3, 8), Decoders(2, 2, 32)])


@given(
    arrays.arrays(np.int8, SHAPES, elements=st.integers(-128, 127) | EXTREMES, fill=st.just(0)),
    DECODERS,
)
def test_round_trip_and_bound(weights, decoders):
    packed = compress(weights, decoders)
    assert np.array_equal(packed.decode(), weights)
    stats = packed.stats(decoders.bus_bytes)
    block = pack_block(packed.sets, np.zeros(0, SCALE_DTYPE))
    tile = packed.tile(decoders.bus_bytes)
    assert stats.total_bits == 8 * (len(block) + len(tile))
    # Eight bits a weight, a column for matrices without any, and what is there in any case.
    rows, columns = weights.shape
    assert stats.run_bits + stats.value_bits <= 8 * rows * max(1, columns)
    assert not isinstance(unpack_block(np.frombuffer(block, np.uint8), 0), str)


@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.9])
def test_the_same_bytes_every_time(zeros):
    rng = np.random.default_rng(1)
    weights = (rng.laplace(0, 20, (60, 70)) * (rng.random((60, 70)) >= zeros)).round()
    weights = np.clip(weights, -128, 127).astype(np.int8)
    first, second = (compress(weights).tile(16) for _ in range(2))
    assert first == second


def test_large_matrices_come_close_to_their_entropy():
    rng = np.random.default_rng(2)
    for zeros in (0.5, 0.75):
        values = rng.laplace(0, 20, (512, 640)) * (rng.random((512, 640)) >= zeros)
        weights = np.clip(np.rint(values), -128, 127).astype(np.int8)
        assert compress(weights).stats(16).ratio <= 1.02


def test_a_dense_matrix_costs_no_more_than_its_bytes_and_a_header():
    weights = np.random.default_rng(3).integers(-128, 128, (256, 256)).astype(np.int8)
    assert compress(weights).stats(16).total_bits <= 8 * (weights.size + 400)
