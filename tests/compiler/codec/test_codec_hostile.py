"""Damaged sections: an ImageError that names the place, or weights; never anything else."""

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import encode
from npu.errors import ImageError

THREADS = 2
PLACE = re.compile(r"lane \d, thread \d, (run|value) stream, bit \d+: |lane \d: a section of ")


def sample(density, seed=1):
    rng = np.random.default_rng(seed)
    weights = (rng.integers(-128, 128, (13, 70)) * (rng.random((13, 70)) < density)).astype(np.int8)
    return encode(weights, np.array_split(rng.permutation(13), 2 * THREADS), 2, THREADS)


SAMPLES = [sample(density) for density in (0, 0.05, 0.3, 1)]


def try_decode(packed, lane, words):
    sections = list(packed.sections)
    sections[lane] = np.asarray(words, np.uint32)
    try:
        weights = dataclasses.replace(packed, sections=tuple(sections)).decode()
    except ImageError as error:
        assert PLACE.match(str(error)), str(error)
        return None
    assert weights.shape == packed.shape
    return weights


@pytest.mark.parametrize("packed", SAMPLES, ids=["empty", "sparse", "usual", "dense"])
def test_every_flipped_bit(packed):
    for bit in range(32 * len(packed.sections[0])):
        words = packed.sections[0].copy()
        words[bit // 32] ^= np.uint32(1 << (31 - bit % 32))
        try_decode(packed, 0, words)


@pytest.mark.parametrize("packed", SAMPLES, ids=["empty", "sparse", "usual", "dense"])
def test_every_truncation(packed):
    for length in range(len(packed.sections[1])):
        assert try_decode(packed, 1, packed.sections[1][:length]) is None


@given(
    st.sampled_from(SAMPLES),
    st.integers(0, 1),
    st.lists(st.integers(0, 2**32 - 1), max_size=40),
    st.booleans(),
)
def test_random_words(packed, lane, words, keep_directory):
    if keep_directory:
        words = [*packed.sections[lane][: 2 * THREADS], *words]
    try_decode(packed, lane, words)


@given(st.sampled_from(SAMPLES), st.data())
def test_random_directories(packed, data):
    words = packed.sections[0].copy()
    for i in range(2 * THREADS):
        if data.draw(st.booleans()):
            length = data.draw(st.integers(0, 32 * len(words) + 40))
            words[i] = (int(words[i]) & 0xFFF00000) | length
    try_decode(packed, 0, words)


def damaged(change):
    words = SAMPLES[2].sections[0].copy()
    change(words)
    sections = (words, SAMPLES[2].sections[1])
    with pytest.raises(ImageError) as caught:
        dataclasses.replace(SAMPLES[2], sections=sections).decode()
    return str(caught.value)


def add(word, amount):
    def change(words):
        words[word] = (int(words[word]) + amount) % 2**32

    return change


def test_messages_name_the_place_and_the_fault():
    run, value = (int(word) & 0xFFFFF for word in SAMPLES[2].sections[0][:2])
    assert re.match(
        r"lane 0, thread 0, value stream, bit 128: a stream leaves the section of \d+ bits; the i",
        damaged(add(1, 10000)),
    )
    assert "thread 0, run stream, bit 128: a stream leaves" in damaged(add(0, 10000))
    assert "thread 0, run stream, bit 0: the directory counts 5 rows, must be 4" in damaged(
        add(0, 1 << 20)
    )
    assert "bit 96: the directory says row base 5, must be 4" in damaged(add(3, 1 << 20))
    assert re.search(
        r"lane 0, thread 1, value stream, bit \d+: a symbol runs past the end of the stream",
        damaged(add(3, -1)),
    )
    assert re.search(
        rf"thread 0, value stream, bit {128 + run + value}: bits are left over behind the last row",
        damaged(add(1, 1)),
    )


def test_a_skipped_row_is_refused():
    """One weight per row, decoded as if the rows were narrower."""
    packed = encode(np.eye(9, dtype=np.int8), [np.arange(9)], 1, 1)
    narrow = dataclasses.replace(packed, shape=(9, 4))
    with pytest.raises(ImageError, match="run stream, bit 67: a run skips a row of 4 columns"):
        narrow.decode()
