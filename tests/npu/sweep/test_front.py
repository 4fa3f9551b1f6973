"""Points that no other one beats."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npu.sweep.front import front, unbeaten, weights_name


def row(latency, memory, **more):
    values = {"model": "a", "error": None, "latency_ms": latency, "on_chip_bytes": memory}
    return values | {"energy_uj": 1.0, "area_mm2": None, "accuracy": None} | more


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=40))
def test_as_by_hand(points):
    costs = np.array(points)

    def beaten(i):
        worse = [(c <= costs[i]).all() and (c < costs[i]).any() for c in costs]
        same = [(c == costs[i]).all() for c in costs[:i]]
        return any(worse) or any(same)

    assert unbeaten(costs) == [i for i in range(len(costs)) if not beaten(i)]


def test_what_failed_beats_nobody_and_is_not_there():
    good = row(2.0, 9)
    assert front([row(1.0, 1, error="no"), good]) == [good]


def test_other_weights_are_held_against_each_other_where_accuracy_is_known():
    slow, fast = row(2.0, 9), row(1.0, 1, bits=4)
    assert front([slow, fast]) == [slow, fast]
    assert front([slow | {"accuracy": 0.9}, fast | {"accuracy": 0.9}]) == [fast | {"accuracy": 0.9}]
    known = [slow | {"accuracy": 0.9}, fast | {"accuracy": 0.8}]
    assert front(known) == known


def test_weights_in_words():
    assert weights_name(row(1, 1)) == "as trained"
    assert weights_name(row(1, 1, sparsity=0.0, bits=8)) == "as trained"
    assert weights_name(row(1, 1, sparsity=0.9, bits=4)) == "90% zeros, 4 bits"
