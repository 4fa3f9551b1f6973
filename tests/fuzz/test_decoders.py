"""What the fuzzer starts from and what it has found, through every decoder."""

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.fuzz.decoders import decode_all
from tests.fuzz.seeds import seeds

SEEDS = seeds()
FOUND = sorted((ROOT / "tests" / "vectors" / "codec" / "fuzz").glob("*"))


@pytest.mark.parametrize("name", SEEDS)
def test_seeds_decode(name):
    assert decode_all(SEEDS[name]) == "decoded"


def test_findings():
    for path in FOUND:
        decode_all(path.read_bytes())


def test_flipped_bits_and_cut_ends():
    rng = np.random.default_rng(3)
    outcomes = set()
    for data in SEEDS.values():
        for _ in range(40):
            changed = bytearray(data)
            for _ in range(rng.integers(1, 4)):
                changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
            outcomes.add(decode_all(bytes(changed[: rng.integers(len(changed) // 2, 2**20)])))
    assert {"decoded", "block refused", "sections refused"} <= outcomes
