"""The layout of tiles: every bit of the header has one place, and the front's longest is enough."""

import pytest

from npu.chip import tile
from npu.chip.params import load_params
from npu.chip.weight_format import WORD_BITS


def test_the_header_has_no_hole_and_no_overlap():
    bit = 0
    for at, width in tile.HEADER.values():
        assert at == bit
        bit += width
    assert bit == tile.HEADER_WORDS * WORD_BITS


def test_numbers_of_the_header():
    header = sum((n + 1) << at for n, (at, _) in enumerate(tile.HEADER.values()))
    assert [tile.header_field(header, name) for name in tile.HEADER] == list(range(1, 11))


@pytest.mark.parametrize(
    ("threads", "bus_words", "heads"), [(2, 2, 0), (2, 4, 0), (2, 8, 4), (3, 4, 2), (5, 16, 6)]
)
def test_heads_fill_the_directory_to_a_bus_word(threads, bus_words, heads):
    assert tile.head_words(threads, bus_words) == heads
    assert (2 * threads + heads) % bus_words == 0


def test_the_longest_front_of_the_presets():
    found = {}
    for name in ("tiny", "edge", "max"):
        p = load_params(name)
        found[name] = tile.most_front(p.lanes, p.threads, p.bus_bytes // 4)
        assert found[name] < 1 << tile.HEADER["front"][1]
    assert found == {"tiny": 12, "edge": 29, "max": 120}
    assert tile.most_front(1, 2, 16) == tile.least_front(16)
    assert [tile.least_front(n) for n in (1, 2, 4, 8, 16)] == [10, 7, 6, 5, 5]
