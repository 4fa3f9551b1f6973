"""Sides go by a hash alone."""

import hashlib

import pytest

from compiler.train.corpus.sides import SIDES, digest, side


def test_digest_is_that_of_sha256():
    assert digest("speaker", "kal") == hashlib.sha256(b"speaker:kal").hexdigest()[:16]
    assert digest("speaker", "kal") != digest("sentence", "kal")
    assert digest("name", "é") == digest("name", "é")


def test_shares_are_kept():
    shares = {"develop": 0.05, "test": 0.1}
    sides = [side("sentence", f"sentence {n}", shares) for n in range(20_000)]
    for name, share in (("develop", 0.05), ("test", 0.1), ("train", 0.85)):
        assert sides.count(name) / 20_000 == pytest.approx(share, abs=0.008)
    assert set(sides) == set(SIDES)


def test_more_test_takes_nothing_from_it():
    small, large = ({"develop": 0.0, "test": test} for test in (0.1, 0.3))
    for n in range(2000):
        if side("name", str(n), small) == "test":
            assert side("name", str(n), large) == "test"
