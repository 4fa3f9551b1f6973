"""No flip in a tile gives a wrong output without an error."""

import numpy as np
import pytest

from npu.chip.tile import CHECKSUM_WORD
from tests.fuzz.images import CLASSES, KINDS, flips, kinds, lines, small_image

FLIPS = 240


@pytest.fixture(scope="module")
def image():
    return small_image()


def in_tiles(image):
    places = np.flatnonzero(kinds(image) == KINDS.index("tiles"))
    return np.random.default_rng(7).choice(places, FLIPS, replace=False)


def test_flips_in_tiles_are_told(image):
    assert flips(image, in_tiles(image), 7) == {("tiles", "told"): FLIPS}


def test_without_the_checksum_they_are_not(image, monkeypatch):
    """What the chip did before tiles had one: a good part of the flips is silent."""
    monkeypatch.setattr("npu.twin.tile.checksum", lambda tile: int(tile[CHECKSUM_WORD]))
    counts = flips(image, in_tiles(image), 7)
    assert counts["tiles", "silent"] > FLIPS // 5
    assert lines(counts)[1].split() == ["tiles", *(str(counts["tiles", n]) for n in CLASSES)]
