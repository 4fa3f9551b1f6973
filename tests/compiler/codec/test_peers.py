"""Sizes of other formats, counted by hand."""

import numpy as np

from compiler.codec.peers import bitmask_bytes, coders, csr_bytes, eie_bytes

WEIGHTS = np.zeros((3, 20), np.int8)
WEIGHTS[0, 0] = 5
WEIGHTS[2, 19] = -3


def test_sizes():
    assert csr_bytes(WEIGHTS) == 2 * 2 + 4 * 4
    assert bitmask_bytes(WEIGHTS) == 8 + 2
    # Column by column: at once, then 58 zeros, three explicit ones among them.
    assert eie_bytes(WEIGHTS) == -(-5 * 12 // 8)
    assert csr_bytes(np.zeros((2, 300), np.int8)) == 12
    assert csr_bytes(np.ones((2, 300), np.int8)) == 600 * 3 + 12
    assert eie_bytes(np.zeros((2, 3), np.int8)) == 0


def test_installed_coders_give_the_weights_back():
    for name, coder in coders().items():
        data = coder.encode(coder.prepare(WEIGHTS))
        found = coder.decode(data, WEIGHTS.size)
        if isinstance(found, bytes):
            found = np.frombuffer(found, np.int8)
        assert np.array_equal(np.asarray(found, np.int8), WEIGHTS.reshape(-1)), name
