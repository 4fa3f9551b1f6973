"""The codec in one call: round trips, statistics, the same bytes every time."""

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compiler.codec import (
    BYTES_FIRST,
    CYCLES_FIRST,
    Decoders,
    compress,
    compress_rows,
    encode,
)
from compiler.codec.parallel import parts
from npu.chip.weight_format import MAX_TILE_ROWS, SCALE_DTYPE, pack_block, set_of_lane, unpack_block
from npu.errors import ImageError

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


@pytest.mark.parametrize("price", [BYTES_FIRST, CYCLES_FIRST])
@given(arrays.arrays(np.int8, SHAPES, elements=EXTREMES, fill=st.just(0)), DECODERS)
def test_bytes_first_and_cycles_first(price, weights, decoders):
    packed = compress(weights, decoders, cycle_bits=price)
    assert np.array_equal(packed.decode(), weights)
    stats = packed.stats(decoders.bus_bytes)
    empty = np.count_nonzero(~weights.any(axis=1))
    assert stats.symbols >= stats.nonzeros + empty
    if price == CYCLES_FIRST:
        assert stats.symbols == stats.nonzeros + empty


def test_large_matrices_come_close_to_their_entropy():
    rng = np.random.default_rng(2)
    for zeros in (0.5, 0.75):
        values = rng.laplace(0, 20, (512, 640)) * (rng.random((512, 640)) >= zeros)
        weights = np.clip(np.rint(values), -128, 127).astype(np.int8)
        assert compress(weights).stats(16).over_entropy <= 1.02


def test_a_dense_matrix_costs_no_more_than_its_bytes_and_a_header():
    weights = np.random.default_rng(3).integers(-128, 128, (256, 256)).astype(np.int8)
    assert compress(weights).stats(16).total_bits <= 8 * (weights.size + 400)


@given(
    arrays.arrays(np.int8, SHAPES, elements=EXTREMES, fill=st.just(0)),
    DECODERS,
)
def test_the_quick_way_round_trips_too(weights, decoders):
    packed = compress(weights, decoders, thorough=False)
    assert np.array_equal(packed.decode(), weights)
    rows, columns = weights.shape
    stats = packed.stats(decoders.bus_bytes)
    assert stats.run_bits + stats.value_bits <= 8 * rows * max(1, columns)


def sample(rows=96, columns=80, seed=4):
    """Rows of two kinds, so that there are code sets to choose."""
    rng = np.random.default_rng(seed)
    scale = np.where(np.arange(rows) % 2, 3, 40)[:, None]
    values = rng.laplace(0, 1, (rows, columns)) * scale * (rng.random((rows, columns)) < 0.4)
    return np.clip(np.rint(values), -128, 127).astype(np.int8)


def test_the_quick_way_is_larger_and_better_than_nothing():
    weights = sample(512, 256)
    sizes = [compress(weights, thorough=t).stats(16).total_bits for t in (True, False)]
    assert sizes[0] < sizes[1] < 1.15 * sizes[0] < 0.6 * 8 * weights.size


@pytest.mark.parametrize("workers", [2, 3, 16, 40])
def test_threads_change_nothing(workers):
    weights = sample(512, 256)
    one, many = compress(weights), compress(weights, workers=workers)
    assert len(one.sets) > 1
    assert one.tile(16) == many.tile(16)
    assert np.array_equal(many.decode(workers), weights)
    # The first fault is the same, too.
    sections = [section.copy() for section in one.sections]
    for lane in (5, 9, 14):
        sections[lane][4:] = 0xFFFFFFFF
    damaged = dataclasses.replace(one, sections=tuple(sections))
    messages = []
    for count in (1, workers):
        with pytest.raises(ImageError, match="lane 5") as raised:
            damaged.decode(count)
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


def test_no_thread_is_refused():
    with pytest.raises(ValueError, match="workers must be a whole number, at least 1, not 0"):
        compress(sample(), workers=0)


@pytest.mark.parametrize("lanes", [1, 2, 5, 16])
@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("sets", [1, 2, 4])
def test_parts_are_all_lanes_and_of_one_code_set(lanes, workers, sets):
    found = parts(lanes, workers, sets)
    assert [lane for first, end in found for lane in range(first, end)] == list(range(lanes))
    for first, end in found:
        assert len({set_of_lane(lane, lanes, sets) for lane in range(first, end)}) == 1
    assert len(found) >= min(lanes, workers)


@given(st.lists(st.integers(0, 30), max_size=8), st.sampled_from([8, 13, 50]))
def test_rows_as_they_come(sizes, tile_rows):
    weights = sample(max(1, sum(sizes)), 20)[: sum(sizes)]
    blocks = np.split(weights, np.cumsum(sizes)[:-1]) if sizes else []
    decoders = Decoders(2, 2, 8)
    tiles = list(compress_rows(blocks, decoders, thorough=False, tile_rows=tile_rows))
    assert [tile.shape[0] for tile in tiles[:-1]] == [tile_rows] * (len(tiles) - 1)
    rows = [tile.decode() for tile in tiles]
    assert np.array_equal(np.concatenate([np.zeros((0, 20), np.int8), *rows]), weights)


def test_a_tile_is_there_before_all_rows_are():
    taken = []

    def blocks():
        for number in range(10):
            taken.append(number)
            yield sample(8, 20, number)

    tiles = compress_rows(blocks(), Decoders(2, 2, 8), tile_rows=16)
    assert next(tiles).shape == (16, 20)
    assert taken == [0, 1]
    assert len(list(tiles)) == 4


def test_blocks_may_share_their_memory():
    """A reader that fills one buffer again and again, and slots that change later."""
    buffer = np.empty((8, 20), np.int8)

    def blocks():
        for number in range(5):
            buffer[:] = sample(8, 20, number)
            yield buffer

    made = compress_rows(blocks(), Decoders(2, 2, 8), tile_rows=12)
    tiles = [tile.decode() for tile in made]
    rows = [sample(8, 20, number) for number in range(5)]
    assert np.array_equal(np.concatenate(tiles), np.concatenate(rows))

    slots = list(np.arange(8).reshape(4, 2))
    packed = encode(rows[0], slots, 2, 2)
    slots[0][:] = 7
    assert np.array_equal(packed.decode(), rows[0])


def test_threads_and_prices_reach_every_tile():
    weights = sample(40, 30)
    one, many = (
        list(compress_rows([weights], workers=n, cycle_bits=CYCLES_FIRST, tile_rows=12))
        for n in (1, 3)
    )
    assert [tile.tile(16) for tile in one] == [tile.tile(16) for tile in many]
    assert all(tile.stats(16).symbols == tile.stats(16).nonzeros for tile in one)


def test_tall_matrices_take_little_longer_than_large_ones():
    """Pairs of rows are not all looked at, which took forty times as long for 4096 x 1."""
    rng = np.random.default_rng(6)
    seconds = []
    for shape in ((4096, 1), (512, 640)):
        weights = rng.integers(-20, 20, shape).astype(np.int8)
        spent = []
        for _ in range(3):
            began = time.process_time()
            compress(weights)
            spent.append(time.process_time() - began)
        seconds.append(min(spent))
    assert seconds[0] < 15 * seconds[1]


def test_rows_so_long_that_few_fit():
    """16 slots of streams of 2**20 bits: a tile takes fewer rows than its directory counts."""
    rng = np.random.default_rng(5)
    weights = rng.integers(-128, 128, (40, 60_000)).astype(np.int8)
    tiles = list(compress_rows([weights], Decoders(8, 2, 8), thorough=False))
    assert [tile.shape[0] for tile in tiles] == [16, 16, 8]
    assert np.array_equal(np.concatenate([tile.decode() for tile in tiles]), weights)


def test_blocks_of_other_columns():
    with pytest.raises(ValueError, match="a block of 21 columns behind one of 20"):
        list(compress_rows([sample(8, 20), sample(8, 21)]))


@pytest.mark.parametrize("tile_rows", [0, MAX_TILE_ROWS + 1])
def test_tiles_hold_a_row_or_more_and_no_more_than_the_format(tile_rows):
    with pytest.raises(ValueError, match=f"tile_rows must be .* not {tile_rows}"):
        list(compress_rows([sample(4, 4)], tile_rows=tile_rows))
