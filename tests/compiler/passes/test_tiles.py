"""Tiles: records in slot order, and matrices that do not fit."""

import numpy as np
import pytest

from compiler.codec import encode, entropy_bits
from compiler.codec.arrange import arrange
from compiler.passes.tiles import MOST_BITS, pack_matrix
from npu.chip.params import load_params
from npu.chip.weight_format import MAX_SCALES, ROW_DTYPE, SCALE_DTYPE, directory_words, unpack_block
from npu.errors import CapacityError
from tests.compiler.passes.made import chip, matrix


@pytest.mark.parametrize("scales", [1, 3, MAX_SCALES, MAX_SCALES + 1, 100])
@pytest.mark.parametrize("max_words", [400, 40])
def test_records_stand_in_slot_order(scales, max_words):
    m = matrix(100, 60, scales)
    packed = pack_matrix(m, chip(), max_words, 8192)
    assert (len(packed.tiles) > 1) == (max_words == 40)
    block = unpack_block(np.frombuffer(packed.block, np.uint8), 0)
    assert not isinstance(block, str), block
    _, shared = block
    assert len(shared) == (0 if scales > MAX_SCALES else scales)
    first = 0
    for tile in packed.tiles:
        assert tile.bank_words <= max_words
        assert len(tile.image) % 8 == 0
        rows = first + np.concatenate(tile.packed.slot_rows)
        first += len(rows)
        item = ROW_DTYPE.itemsize + (0 if len(shared) else SCALE_DTYPE.itemsize)
        raw = np.frombuffer(tile.records, np.uint8).reshape(len(rows), item)
        records = raw[:, :8].copy().view(ROW_DTYPE)[:, 0]
        own = shared[records["scale"]] if len(shared) else raw[:, 8:].copy().view(SCALE_DTYPE)[:, 0]
        np.testing.assert_array_equal(records["bias"], m.bias[rows])
        np.testing.assert_array_equal(records["destination"], m.destination[rows])
        np.testing.assert_array_equal(own["multiplier"], m.multipliers[rows])
        np.testing.assert_array_equal(own["shift"], m.shifts[rows])
        start = first - len(rows)
        np.testing.assert_array_equal(tile.packed.decode(), m.weights[start:first])
    assert first == 100
    assert packed.record_bytes == 100 * item


def test_entropy_is_that_of_the_operators_own_matrices():
    """Rows of other scale are no matrices of their own; an LSTM's gates are, and padding is not."""
    m = matrix(3, 40, 3)
    assert pack_matrix(m, chip(), 400, 8192).entropy_bits == entropy_bits(m.weights)
    gates = [np.full((2, 30), value, np.int8) for value in range(4)]
    physical = np.zeros((8, 40), np.int8)
    physical[:, :30] = np.concatenate(gates)
    m = matrix(8, 40, 1)
    m.weights, m.operands = physical, tuple(gates)
    assert pack_matrix(m, chip(), 400, 8192).entropy_bits == 0 == entropy_bits(*gates)


def test_matrices_that_do_not_fit():
    with pytest.raises(CapacityError, match="m: a single row does not fit 64 bytes per bank"):
        pack_matrix(matrix(3, 1000, 1, density=1), chip(), 8, 8192)
    with pytest.raises(CapacityError, match="m: parameter memory leaves 7 bytes for row records"):
        pack_matrix(matrix(3, 10, 1), chip(), 8, 7)
    m = matrix(3, 10, 1)
    m.destination = np.array([0, 1, 65536])
    with pytest.raises(CapacityError, match="m: its rows go to 65537 places, a row record names"):
        pack_matrix(m, chip(), 8, 8192)


@pytest.mark.parametrize("columns", [1, 7, 64, 640])
def test_no_row_takes_more_than_its_bound(columns):
    """What is not looked at before any work is short in any case."""
    rng = np.random.default_rng(columns)
    params = load_params("edge")
    for zeros in (0.0, 0.5, 0.95):
        row = rng.integers(-128, 128, (1, columns)).astype(np.int8)
        row[rng.random(row.shape) < zeros] = 0
        arranged = arrange(row, [np.arange(1)], params)
        packed = encode(row, arranged.deals[0], params.lanes, params.threads, arranged.sets)
        bits = max(map(len, packed.sections)) * 32
        assert bits <= (columns + 1) * MOST_BITS + 32 * directory_words(params.threads)
