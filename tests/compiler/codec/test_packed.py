"""Packed matrices: exact round trips, hand-made sections, and an independent decoder."""

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import choose_sets, codes, encode, entropy_bits, symbols
from npu.chip.weight_format import LENGTHS, SETS, CodeTable, block_bytes
from npu.errors import CapacityError, ImageError
from tests.compiler.codec.bound import bound

VECTORS = Path(__file__).parents[2] / "vectors" / "codec" / "sections.txt"


# --- an independent decoder, from the description of the format only ---------------------------
def naive_codes(counts, entries):
    """{code string: entry}: codes of equal length count up, entries in canonical order."""
    found, code, index = {}, 0, 0
    for length, count in enumerate(counts):
        code <<= 1 if length else 0
        for _ in range(int(count)):
            found[f"{code:0{length}b}" if length else ""] = int(entries[index])
            code, index = code + 1, index + 1
    return found


def naive_symbol(bits, at, table, raw_bits):
    """(entry, raw, next position) read one bit at a time."""
    end = at
    while bits[at:end] not in table:
        end += 1
        assert end <= len(bits)
    raw = bits[end : end + raw_bits]
    return table[bits[at:end]], int(raw, 2) if raw else 0, end + raw_bits


def naive_decode(words, threads, columns, run, value):
    """[(row base, [row weights])] of the slots of one section, in decode order."""
    bits = "".join(f"{int(word):032b}" for word in words)
    run_table = naive_codes(run.counts, run.entries)
    value_table = naive_codes(value.counts, value.entries)
    slots, at = [], 64 * threads
    for thread in range(threads):
        run_bits, value_bits = (int(word) % 2**20 for word in words[2 * thread : 2 * thread + 2])
        run_at, value_at, end = at, at + run_bits, at + run_bits + value_bits
        at = end
        count = int(words[2 * thread]) >> 20
        # All rows as one long one, up to the terminator behind it.
        long, place = [0] * (count * columns), -1
        while count:
            entry, raw, run_at = naive_symbol(bits, run_at, run_table, run.raw_bits)
            place += 1 + (entry << run.raw_bits) + raw
            if place >= len(long):
                assert place < len(long) + columns
                break
            base, raw, value_at = naive_symbol(bits, value_at, value_table, value.raw_bits)
            long[place] = (base + raw + 128) % 256 - 128
        assert (run_at, value_at) == (end - value_bits, end)
        rows = [long[row * columns : (row + 1) * columns] for row in range(count)]
        slots.append((int(words[2 * thread + 1]) >> 20, rows))
    return slots


# --- vectors ------------------------------------------------------------------------------------
def read_table(fields):
    pairs = [field.split(":") for field in fields[1:]]
    counts = np.zeros(LENGTHS, np.int64)
    for _, code in pairs:
        counts[0 if code == "-" else len(code)] += 1
    entries = np.array([int(entry, 16) for entry, _ in pairs], np.uint8)
    return CodeTable(int(fields[0]), counts, entries)


def read_vectors():
    vectors = []
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        key, *fields = line.split() or ["#"]
        if key == "name":
            vectors.append({"name": " ".join(fields), "row": [], "slot": [], "section": []})
            vectors[-1] |= {"run": [], "value": []}
        elif key in ("row", "section"):
            base = 10 if key == "row" else 16
            vectors[-1][key].append([int(field, base) for field in fields])
        elif key in ("run", "value"):
            strings = [field.split(":")[1].replace("-", "") for field in fields[1:]]
            vectors[-1][key].append((read_table(fields), strings))
        elif key == "slot":
            rows, _, rest = " ".join(fields)[5:].partition(" run")
            run, _, value = rest.partition(" value")
            streams = [s.replace(".", "").replace("-", "").replace(" ", "") for s in (run, value)]
            vectors[-1]["slot"].append(([int(r) for r in rows.split() if r != "-"], streams))
        elif key != "#":
            vectors[-1][key] = int(fields[0])
    return vectors


VECTOR_LIST = read_vectors()
each_vector = pytest.mark.parametrize("vector", VECTOR_LIST, ids=lambda vector: vector["name"])


def code_sets(vector):
    return [
        (run, value) for (run, _), (value, _) in zip(vector["run"], vector["value"], strict=True)
    ]


def encode_vector(vector):
    slots = [np.array(rows, np.int64) for rows, _ in vector["slot"]]
    return encode(
        np.array(vector["row"], np.int8),
        slots,
        vector["lanes"],
        len(slots) // vector["lanes"],
        code_sets(vector),
    )


@each_vector
def test_the_vector_agrees_with_itself(vector):
    for table, strings in vector["run"] + vector["value"]:
        assert table.problem() is None
        assert list(naive_codes(table.counts, table.entries)) == strings
    sets = code_sets(vector)
    threads = len(vector["slot"]) // vector["lanes"]
    base = 0
    for lane, words in enumerate(vector["section"]):
        slots = vector["slot"][lane * threads : (lane + 1) * threads]
        bits = "".join(f"{word:032b}" for word in words[2 * threads :])
        assert bits.startswith("".join(run + value for _, (run, value) in slots))
        tables = sets[lane * len(sets) // vector["lanes"]]
        decoded = naive_decode(words, threads, vector["columns"], *tables)
        for (rows, _), (found_base, found) in zip(slots, decoded, strict=True):
            assert found_base == base
            assert found == [vector["row"][row] for row in rows]
            base += len(rows)


@each_vector
def test_sections_worked_by_hand(vector):
    packed = encode_vector(vector)
    for section, words in zip(packed.sections, vector["section"], strict=True):
        assert [f"{word:08x}" for word in section] == [f"{word:08x}" for word in words]
    np.testing.assert_array_equal(packed.decode(), np.array(vector["row"]))


def wrong_order(table):
    """Codes given out from the last entry of a length to the first."""
    values, lengths = codes(table)
    for length in np.unique(lengths):
        values[lengths == length] = values[lengths == length][::-1]
    return values, lengths


def test_a_wrong_canonical_order_is_caught(monkeypatch):
    weights = random_matrix(np.random.default_rng(5), 20, 30, 0.5, "wide")
    good = encode(weights, [np.arange(20)], 1, 1)
    monkeypatch.setattr(symbols, "codes", wrong_order)
    caught = 0
    for vector in VECTOR_LIST:
        sections = [section.tolist() for section in encode_vector(vector).sections]
        caught += sections != vector["section"]
    assert caught >= 5
    faulty = encode(weights, [np.arange(20)], 1, 1, good.sets)
    with contextlib.suppress(ImageError):
        assert not np.array_equal(faulty.decode(), weights)


# --- round trips --------------------------------------------------------------------------------
def random_matrix(rng, rows, columns, density, kind):
    fibonacci = np.array([1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597.0])
    values = {
        "wide": lambda n: rng.integers(-128, 128, n),
        "laplace": lambda n: np.clip(np.rint(rng.laplace(0, 16, n)), -128, 127),
        "extremes": lambda n: rng.choice([-128, 127], n),
        "codebook": lambda n: rng.choice([-77, -20, -3, 5, 41, 99], n),
        "fibonacci": lambda n: rng.choice(
            np.arange(17) * 15 - 120, n, p=fibonacci / sum(fibonacci)
        ),
        "one": lambda n: np.full(n, -1),
    }[kind](rows * columns)
    kept = rng.random(rows * columns) < density
    weights = (values * kept).astype(np.int8).reshape(rows, columns)
    if rows > 2:
        weights[rng.integers(rows)] = 0
    return weights


KINDS = ("wide", "laplace", "extremes", "codebook", "fibonacci", "one")
matrices = st.builds(
    random_matrix,
    st.integers(0, 2**32 - 1).map(np.random.default_rng),
    st.integers(0, 60),
    st.integers(0, 200),
    st.sampled_from([0, 0.002, 0.02, 0.1, 0.25, 0.5, 0.9, 1]),
    st.sampled_from(KINDS),
)


@given(
    matrices,
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from(SETS),
    st.integers(0, 2**32 - 1),
)
def test_round_trip(weights, lanes, threads, n_sets, seed):
    rng = np.random.default_rng(seed)
    slot_of = rng.integers(lanes * threads, size=len(weights))
    order = rng.permutation(len(weights))
    slots = [order[slot_of[order] == slot] for slot in range(lanes * threads)]
    sets = choose_sets([(weights, slots)], lanes, n_sets)
    packed = encode(weights, slots, lanes, threads, sets)
    assert len(packed.sets) == n_sets
    assert all(table.problem() is None for codes in packed.sets for table in codes)
    assert packed.shape == weights.shape
    np.testing.assert_array_equal(packed.decode(), weights)
    for rows, coded in zip(slots, packed.symbols_per_slot, strict=True):
        least = np.maximum(1, np.count_nonzero(weights[rows], axis=1)).sum()
        assert least <= coded <= len(rows) * max(1, weights.shape[1])
    columns = max(1, weights.shape[1])
    for lane, section in enumerate(packed.sections):
        decoded = naive_decode(section, threads, columns, *sets[lane * n_sets // lanes])
        for thread, (_, rows) in enumerate(decoded):
            expected = weights[slots[lane * threads + thread]]
            np.testing.assert_array_equal(
                np.array(rows).reshape(-1, columns)[:, : weights.shape[1]], expected
            )
    stats = packed.stats(8)
    assert stats.total_bits == 8 * (len(packed.tile(8)) + block_bytes(sets, 0))
    assert stats.total_bits <= bound(weights.shape, n_sets, lanes, threads, 8)
    assert stats.padding_bits >= 0
    assert stats.symbols == packed.symbols_per_slot.sum() >= stats.nonzeros


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 4000), (4095, 1)])
@pytest.mark.parametrize("fill", [0, -128, 127])
def test_edges(shape, fill):
    weights = np.full(shape, fill, np.int8)
    packed = encode(weights, [np.arange(shape[0])], 1, 1)
    np.testing.assert_array_equal(packed.decode(), weights)


def test_the_same_input_gives_the_same_bits():
    weights = random_matrix(np.random.default_rng(1), 64, 100, 0.25, "laplace")
    tiles = {encode(weights.copy(order), [np.arange(64)], 1, 1).tile(8) for order in "CFC"}
    assert len(tiles) == 1


@pytest.mark.parametrize("bus_bytes", [0, 2, 6, 12, -8])
def test_a_bus_of_other_widths_is_refused(bus_bytes):
    packed = encode(np.eye(4, dtype=np.int8), [np.arange(4)], 1, 1)
    with pytest.raises(ValueError, match=f"must be a power of two, 4 to 1024, not {bus_bytes}"):
        packed.tile(bus_bytes)


def test_entropy():
    assert entropy_bits(np.zeros((3, 3), np.int8)) == 0
    assert entropy_bits(np.zeros((0, 3), np.int8)) == 0
    assert entropy_bits(np.array([[1, 2], [-1, 0]], np.int8)) == 8


def test_what_does_not_fit_the_directory_is_refused():
    with pytest.raises(CapacityError, match="4097 rows in one tile, at most 4096"):
        encode(np.zeros((4097, 1), np.int8), np.array_split(np.arange(4097), 2), 2, 1)
    with pytest.raises(CapacityError, match="lane 0, thread 1: 4096 rows, at most 4095"):
        encode(np.zeros((4096, 1), np.int8), [np.arange(0), np.arange(4096)], 1, 2)
    weights = np.random.default_rng(3).integers(-128, 128, (300, 512)).astype(np.int8)
    with pytest.raises(
        CapacityError, match=r"lane 0, thread 0: a value stream of \d+ bits, at most 1048575"
    ):
        encode(weights, [np.arange(300)], 1, 1)


def test_wrong_arguments_are_refused():
    weights = np.ones((4, 4), np.int8)
    with pytest.raises(ValueError, match="deal each of the 4 rows to one slot"):
        encode(weights, [np.array([0, 1, 2, 2])], 1, 1)
    with pytest.raises(ValueError, match="1 slots, must be 2 lanes \\* 1 threads"):
        encode(weights, [np.arange(4)], 2, 1)
    with pytest.raises(ValueError, match="must be int8"):
        encode(weights.astype(np.int16), [np.arange(4)], 1, 1)
    packed = encode(weights, [np.arange(4)], 1, 1)
    with pytest.raises(ValueError, match="3 code sets, must be one of"):
        encode(weights, [np.arange(4)], 1, 1, packed.sets * 3)
    many = weights * np.array([[1], [1], [2], [3]], np.int8)
    with pytest.raises(ValueError, match="the value code cannot express lane 1, thread 0"):
        encode(many, [np.arange(2), np.arange(2, 4)], 2, 1, packed.sets)
    with pytest.raises(ValueError, match="the run code cannot express lane 0, thread 0"):
        encode(1 - np.eye(4, dtype=np.int8), [np.arange(4)], 1, 1, packed.sets)


def test_damaged_tables_are_named():
    packed = encode(np.eye(4, dtype=np.int8), [np.arange(4)], 1, 1)
    ((run, value),) = packed.sets
    wrong = CodeTable(0, run.counts, np.zeros(0, np.uint8))
    broken = dataclasses.replace(packed, sets=((wrong, value),))
    with pytest.raises(ImageError, match="set 0, run code: 0 table entries, must be 1 to 64"):
        broken.decode()
