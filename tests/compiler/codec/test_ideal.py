"""Ideal Huffman codes: by hand, and beside the length-limited ones where no limit matters."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec import code_lengths
from compiler.codec.ideal import huffman_bits, ideal_bits


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_as_short_as_the_codes_of_few_symbols(counts):
    """Eight symbols never want a code of more than seven bits."""
    assert huffman_bits(np.array(counts)) == int(code_lengths(np.array(counts)) @ counts)


def test_both_ways_by_hand():
    # Runs 0, 2, 0, 0, 1: lengths 1, 2, 2. Values 5, 5, 7, 5: a bit each.
    weights = np.array([[5, 0, 0, 5, 7], [5, 0, 0, 0, 0]], np.int8)
    assert ideal_bits(weights) == {"runs": 3 + 2 + 2 + 4, "zeros": 10 + 4}
    assert ideal_bits(np.zeros((3, 3), np.int8)) == {"runs": 0, "zeros": 0}
    assert ideal_bits(np.zeros((0, 3), np.int8)) == {"runs": 0, "zeros": 0}
