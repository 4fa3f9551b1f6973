"""The page of the format is enough: a decoder written from it alone gives all weights back."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import Decoders, compress
from compiler.codec.tile import sealed
from npu.chip import weight_format as layout
from npu.chip.tile import HEADER
from npu.chip.weight_format import SCALE_DTYPE, pack_block
from tests.compiler.codec import from_text
from tests.compiler.codec.bound import bound

PAGE = Path(__file__).parents[3] / "compiler" / "codec" / "README.md"
NO_SCALES = np.zeros(0, SCALE_DTYPE)


def check(weights, lanes, threads, bus_bytes, thorough=True):
    packed = compress(weights, Decoders(lanes, threads, bus_bytes), thorough)
    block, tile = pack_block(packed.sets, NO_SCALES), packed.tile(bus_bytes)
    rows = from_text.decode(block, tile, lanes, threads, bus_bytes, weights.shape[1])
    found = np.array(rows, np.int8).reshape(len(weights), max(1, weights.shape[1]))
    expected = weights[np.concatenate(packed.slot_rows)]
    np.testing.assert_array_equal(found[:, : weights.shape[1]], expected)
    if weights.shape[1] == 0:
        assert not found.any()
    bits = 8 * (len(block) + len(tile))
    assert bits <= bound(weights.shape, len(packed.sets), lanes, threads, bus_bytes)
    return block, tile


@given(
    st.integers(0, 2**32 - 1).map(np.random.default_rng),
    st.integers(0, 40),
    st.integers(0, 60),
    st.sampled_from([0, 0.03, 0.25, 0.7, 1]),
    st.sampled_from([1, 3, 30, 127]),
    st.sampled_from([1, 2, 4, 7, 16]),
    st.sampled_from([1, 2, 3, 5]),
    st.sampled_from([4, 8, 16, 32, 64]),
)
def test_random_matrices(rng, rows, columns, density, scale, lanes, threads, bus_bytes):
    weights = np.clip(np.rint(rng.laplace(0, scale, (rows, columns))), -128, 127)
    weights[rng.random((rows, columns)) >= density] = 0
    check(weights.astype(np.int8), lanes, threads, bus_bytes)


@pytest.mark.parametrize("shape", [(31, 1), (5, 0), (0, 5), (0, 0), (1, 1), (100, 40), (64, 64)])
def test_edges(shape):
    rng = np.random.default_rng(1)
    check(rng.integers(-128, 128, shape).astype(np.int8), 16, 2, 16)
    check(np.zeros(shape, np.int8), 16, 2, 16)


def test_several_code_sets():
    rng = np.random.default_rng(2)
    scales = np.repeat([2, 60], 150)[:, None]
    weights = np.clip(np.rint(rng.laplace(0, scales, (300, 90))), -128, 127).astype(np.int8)
    block, _ = check(weights, 4, 2, 8)
    assert len(from_text.read_block(block)[0]) > 1


def test_scales_are_read():
    rng = np.random.default_rng(3)
    scales = np.zeros(3, SCALE_DTYPE)
    scales["multiplier"], scales["shift"] = [-5, 7, 1 << 30], [-3, 0, 4]
    sets = compress(rng.integers(-3, 4, (8, 8)).astype(np.int8)).sets
    block = pack_block(sets, scales)
    assert from_text.read_block(block)[1:] == ([(-5, -3), (7, 0), (1 << 30, 4)], len(block))


@pytest.mark.parametrize("seal", [False, True])
def test_damage_is_refused_or_decoded_never_anything_else(seal):
    """All of it is refused where nobody has put the checksum right."""
    rng = np.random.default_rng(4)
    weights = (rng.integers(-128, 128, (20, 30)) * (rng.random((20, 30)) < 0.3)).astype(np.int8)
    block, tile = check(weights, 4, 2, 8)
    refused = 0
    for _ in range(300):
        broken = bytearray(tile)
        bit = int(rng.integers(8 * len(tile)))
        broken[bit // 8] ^= 1 << bit % 8
        if seal:
            broken = sealed(np.frombuffer(broken, np.uint32)).tobytes()
        try:
            from_text.decode(block, bytes(broken), 4, 2, 8, 30)
        except from_text.Refused:
            refused += 1
    assert 50 < refused < 250 if seal else refused == 300


def test_the_decoder_imports_nothing():
    tree = ast.parse(Path(from_text.__file__).read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_the_page_has_the_header_as_it_is():
    text = PAGE.read_text(encoding="utf-8")
    table = text.split("The header is a number of 128 bits", 1)[1].split("The fields follow", 1)[0]
    found = re.findall(r"^\| (\d+) to (\d+) \| `(\w+)` \|", table, re.M)
    assert {name: (int(a), int(b) - int(a) + 1) for a, b, name in found} == HEADER
    assert f"Version {layout.VERSION}." in text
