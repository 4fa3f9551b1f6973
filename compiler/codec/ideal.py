"""What Huffman codes of any length would cost, with nothing beside the codes: a mark to measure by.

A symbol takes at least a bit, so no such code reaches the entropy of a small alphabet. Zeros are
either skipped by runs, or weights like all others; which is better depends on how many there are.
"""

import heapq

import numpy as np


def huffman_bits(counts: np.ndarray) -> int:
    """Bits of the best prefix code for symbols that occur so often; a single symbol takes none."""
    heap = [int(count) for count in counts if count]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        heapq.heappush(heap, joined)
        total += joined
    return total


def ideal_bits(weights: np.ndarray) -> dict[str, int]:
    """Bits of int8 weights by how zeros are coded: "runs" between nonzeros, or "zeros" as weights.

    Runs go over the ends of rows, as if all rows were one.
    """
    flat = np.asarray(weights).reshape(-1)
    places = np.flatnonzero(flat)
    runs = np.bincount(np.diff(places, prepend=-1, append=flat.size) - 1)
    values = np.bincount(flat.view(np.uint8), minlength=256)
    return {
        "runs": huffman_bits(runs) + huffman_bits(values[1:]),
        "zeros": huffman_bits(values),
    }
