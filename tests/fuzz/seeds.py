"""Valid inputs to start from: small matrices of every kind, with one, two and four code sets.

python -m tests.fuzz.seeds FOLDER
"""

import sys
from pathlib import Path

import numpy as np

from compiler.codec import choose_sets, encode
from npu.chip.weight_format import SCALE_DTYPE, SETS, pack_block
from tests.fuzz.decoders import LANES, Input

_DENSITIES = (0.0, 0.05, 0.3, 1.0)


def seeds() -> dict[str, bytes]:
    """Inputs by name, always the same."""
    found = {}
    rng = np.random.default_rng(20261121)
    for lanes in LANES:
        for density in _DENSITIES:
            for sets in SETS:
                threads = 2 + sets % 2
                rows, columns = int(rng.integers(1, 16)), int(rng.integers(1, 40))
                weights = rng.integers(-128, 128, (rows, columns))
                weights = (weights * (rng.random((rows, columns)) < density)).astype(np.int8)
                slots = np.array_split(rng.permutation(rows), lanes * threads)
                chosen = choose_sets([(weights, slots)], lanes, sets)
                packed = encode(weights, slots, lanes, threads, chosen)
                longest = max(map(len, packed.sections))
                sections = np.zeros((lanes, longest), np.uint32)
                for section, words in zip(sections, packed.sections, strict=True):
                    section[: len(words)] = words
                block = np.frombuffer(pack_block(chosen, np.zeros(0, SCALE_DTYPE)), np.uint8)
                name = f"{lanes}-lanes-{density}-{sets}-sets"
                found[name] = Input(lanes, threads, columns, block, sections).to_bytes()
    return found


if __name__ == "__main__":
    for seed, content in seeds().items():
        (Path(sys.argv[1]) / seed).write_bytes(content)
