"""The bit layout: code tables against strings of bits, blocks there and back, hostile blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import code_table
from compiler.codec.codebook import table_of
from npu.chip.weight_format import (
    BLOCK_HEADER_BYTES,
    IN_ORDER,
    LENGTHS,
    MAX_CODE_BITS,
    MAX_SCALES,
    PARAM_WORD,
    ROW_DTYPE,
    SCALE_DTYPE,
    SCALES_AT,
    SETS,
    VERSION,
    CodeTable,
    block_bytes,
    block_size,
    directory_words,
    pack_block,
    padded_entries,
    set_of_lane,
    unpack_block,
)
from tests.npu.twin.naive_lane import code_strings

tables = st.builds(
    lambda entries, seed, raw: code_table(
        np.array(entries, np.uint8),
        np.random.default_rng(seed).geometric(0.3, len(entries)) ** 4,
        raw,
    ),
    st.lists(st.integers(0, 255), min_size=1, max_size=64, unique=True),
    st.integers(0, 2**32 - 1),
    st.integers(0, 8),
)


@given(tables)
def test_limits_and_offsets_decode_as_strings_do(table):
    """Every window of MAX_CODE_BITS bits."""
    assert table.problem() is None
    limits, offsets = table.limits(), table.offsets()
    codes = code_strings(table)
    for window in range(1 << MAX_CODE_BITS):
        bits = f"{window:0{MAX_CODE_BITS}b}"
        (code,) = [bits[:n] for n in range(MAX_CODE_BITS + 1) if bits[:n] in codes]
        length = int(np.count_nonzero(limits <= window))
        assert length == len(code)
        index = offsets[length] + (window >> (MAX_CODE_BITS - length))
        assert table.entries[index] == codes[code]


def counts(**lengths):
    found = np.zeros(LENGTHS, np.int64)
    for key, value in lengths.items():
        found[int(key[1:])] = value
    return found


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (CodeTable(0, counts(_0=1), np.zeros(1, np.uint8)), None),
        (CodeTable(8, counts(_0=1), np.zeros(1, np.uint8)), None),
        (CodeTable(8, counts(_1=1, _2=1, _3=2), np.zeros(4, np.uint8)), None),
        (CodeTable(0, counts(), np.zeros(0, np.uint8)), "0 table entries, must be 1 to 64"),
        (CodeTable(0, counts(_10=65), np.zeros(65, np.uint8)), "65 table entries, must be 1 to 64"),
        (CodeTable(0, counts(_1=2), np.zeros(3, np.uint8)), "do not add up to 3 entries"),
        (CodeTable(0, np.array([1]), np.zeros(1, np.uint8)), "do not add up to 1 entries"),
        (CodeTable(0, counts(_1=1), np.zeros(1, np.uint8)), "Kraft sum 512/1024"),
        (CodeTable(0, counts(_1=3), np.zeros(3, np.uint8)), "Kraft sum 1536/1024"),
        (CodeTable(9, counts(_0=1), np.zeros(1, np.uint8)), "0 code bits + 9 raw bits, at most 16"),
        (
            CodeTable(7, counts(**{f"_{n}": 1 for n in range(1, 10)}, _10=2), np.zeros(11, "u1")),
            "10 code bits + 7 raw bits, at most 16",
        ),
    ],
)
def test_problems(table, problem):
    found = table.problem()
    assert found == problem if problem is None else problem in found


scales_lists = st.lists(
    st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-128, 127)), max_size=MAX_SCALES
)


def test_padding_between_scales_is_zero():
    """Whatever the memory of the array held: the same model must give the same bytes."""
    table = CodeTable(8, counts(_1=2), np.zeros(2, np.uint8))
    dirty = np.full(3 * SCALE_DTYPE.itemsize, 0xFF, np.uint8).view(SCALE_DTYPE)
    scales = pack_block([(table, table)], dirty)[-dirty.nbytes :]
    assert scales == (b"\xff" * 5 + bytes(3)) * 3


code_sets = st.sampled_from(SETS).flatmap(
    lambda n: st.lists(st.tuples(tables, tables), min_size=n, max_size=n)
)


@given(code_sets, scales_lists, st.integers(0, 5))
def test_blocks_round_trip(sets, scales, words):
    scales = np.array(scales, SCALE_DTYPE)
    block = pack_block(sets, scales)
    assert len(block) == block_bytes(sets, len(scales))
    assert len(block) % PARAM_WORD == 0
    at = words * PARAM_WORD
    memory = np.full(at + len(block), 0xAA, np.uint8)
    memory[at:] = np.frombuffer(block, np.uint8)
    again = unpack_block(memory, at)
    assert not isinstance(again, str), again
    for codes, again_codes in zip(sets, again[0], strict=True):
        for table, found in zip(codes, again_codes, strict=True):
            assert found.raw_bits == table.raw_bits
            np.testing.assert_array_equal(found.counts, table.counts)
            np.testing.assert_array_equal(found.entries, table.entries)
    np.testing.assert_array_equal(again[1], scales)
    assert block_size(memory, at) == len(block)
    # One byte less, and it is outside.
    assert isinstance(unpack_block(memory[:-1], at), str)


@pytest.mark.parametrize(
    ("entries", "lengths", "held"),
    [(range(64), [6] * 64, 0), ([0], [0], 0), ([0, 1, 2], [1, 2, 2], 0), ([0, 2], [1, 1], 8)],
)
def test_run_entries_in_order_take_no_bytes(entries, lengths, held):
    run = table_of(np.array(entries), np.array(lengths), 0)
    value = table_of(np.array([3, 4]), np.array([1, 1]), 0)
    block = pack_block([(run, value)], np.zeros(0, SCALE_DTYPE))
    assert len(block) == BLOCK_HEADER_BYTES + held + 8
    assert bool(block[1] & IN_ORDER) == (not held)
    found = unpack_block(np.frombuffer(block, np.uint8), 0)
    np.testing.assert_array_equal(found[0][0][0].entries, run.entries)
    np.testing.assert_array_equal(found[0][0][0].counts, run.counts)


def sample(sets=1):
    run = code_table(np.arange(5), np.arange(5), 1)
    return np.frombuffer(pack_block([(run, run)] * sets, np.zeros(2, SCALE_DTYPE)), np.uint8)


@pytest.mark.parametrize(
    ("at", "byte", "problem"),
    [
        (22, 0x21, "format version 1, this decoder reads version 4"),
        (23, 1, "reserved byte 0x01 of the matrix block, must be zero"),
        (23, 128, "reserved byte 0x80 of the matrix block, must be zero"),
        (21, 17, "17 scales, at most 16"),
        (22, 0x04, "0 code sets, must be one of (1, 2, 4)"),
        (22, 0x34, "3 code sets, must be one of (1, 2, 4)"),
        (22, 0xF4, "15 code sets, must be one of (1, 2, 4)"),
        (22, 0x44, "matrix block at 0 runs past the end of parameter memory"),
        (1, 65, "set 0: 65 table entries, at most 64"),
        (1, IN_ORDER | 65, "set 0: 65 table entries, at most 64"),
        (2, 200, "set 0: 200 table entries, at most 64"),
        (40 + 2, 65, "set 1: 65 table entries, at most 64"),
        (1, 60, "matrix block at 0 runs past the end of parameter memory"),
        (3, 9, "set 0, run code: code counts"),
        (12, 9, "set 0, value code: code counts"),
        (40 + 12, 9, "set 1, value code: code counts"),
        (3, 0, "set 0, run code: not a complete prefix code"),
        (0, 0x19, "set 0, run code: "),
        (0, 0x91, "set 0, value code: "),
        (1, 0, "set 0, run code: 0 table entries"),
        (1, IN_ORDER, "set 0, run code: 0 table entries"),
        (1, 1, "set 0, run code: code counts"),
    ],
)
def test_wrong_blocks(at, byte, problem):
    memory = np.zeros(400, np.uint8)
    block = sample(sets=2)
    assert len(block) == 2 * 40 + 2 * 8
    memory[: len(block)] = block
    memory = memory[: len(block) + (200 if "entries" in problem or "set" in problem else 0)]
    memory[at] = byte
    found = unpack_block(memory, 0)
    assert isinstance(found, str)
    assert found.startswith(problem)


@pytest.mark.parametrize("at", [40 + byte for byte in (21, 22, 23)])
def test_bytes_nobody_looks_at(at):
    memory = sample(sets=2).copy()
    memory[at] = 0xFF
    assert not isinstance(unpack_block(memory, 0), str)


def test_blocks_outside():
    memory = sample()
    for at in (-8, 4, len(memory) - BLOCK_HEADER_BYTES + 8, len(memory), 2**24):
        assert unpack_block(memory, at) == f"matrix block at {at} lies outside parameter memory"


@given(st.binary(min_size=BLOCK_HEADER_BYTES, max_size=400), st.sampled_from((0, *SETS)))
def test_any_bytes_are_a_block_or_a_problem(raw, sets):
    memory = np.frombuffer(raw, np.uint8).copy()
    if sets:
        memory[SCALES_AT:] = [memory[SCALES_AT] % 3, VERSION | sets << 4, 0, *memory[24:]]
        memory[[1, 2]] &= np.array([IN_ORDER | 7, 7], np.uint8)
    assert block_size(memory, 0) >= BLOCK_HEADER_BYTES
    found = unpack_block(memory, 0)
    if not isinstance(found, str):
        assert len(found[0]) == sets
        assert all(table.problem() is None for codes in found[0] for table in codes)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 7, 16])
@pytest.mark.parametrize("sets", SETS)
def test_lanes_share_the_sets_in_order(lanes, sets):
    found = [set_of_lane(lane, lanes, sets) for lane in range(lanes)]
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] < sets
    if lanes % sets == 0:
        assert [found.count(n) for n in range(sets)] == [lanes // sets] * sets


def test_sizes():
    assert SCALE_DTYPE.itemsize == ROW_DTYPE.itemsize == 8
    assert [padded_entries(n) for n in (1, 8, 9, 64)] == [8, 8, 16, 64]
    assert [directory_words(threads) for threads in (2, 8)] == [4, 16]
