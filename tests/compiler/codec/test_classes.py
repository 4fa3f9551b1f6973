"""Classes of rows: equal mass, the same every time, and what is alike together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.codec.bits import steps_of
from compiler.codec.classes import SAMPLE_ROWS, classes, halves, splits
from compiler.codec.symbols import as_coded


def sparse(rng, rows, columns, density, scale):
    weights = np.clip(np.rint(rng.laplace(0, scale, (rows, columns))), -128, 127)
    return (weights * (rng.random((rows, columns)) < density)).astype(np.int8)


def mass_of(weights):
    return np.maximum(1, np.count_nonzero(weights, axis=1))


@given(st.lists(st.integers(1, 1000), max_size=60), st.randoms())
def test_halves_differ_by_less_than_a_row(mass, random):
    mass = np.array(mass, np.int64)
    order = np.arange(len(mass))
    random.shuffle(order)
    first, second = halves(order, mass)
    assert [*first, *second] == order.tolist()
    if len(mass):
        assert abs(int(mass[first].sum()) - int(mass[second].sum())) <= mass.max()


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 80),
    st.integers(1, 100),
    st.sampled_from([0, 0.1, 0.5, 1]),
    st.sampled_from([1, 2, 4]),
)
def test_every_row_is_in_one_class(seed, rows, columns, density, sets):
    rng = np.random.default_rng(seed)
    weights = sparse(rng, rows, columns, density, 20)
    mass = mass_of(weights)
    found = splits(steps_of(weights), mass, sets)
    assert len(found) == sets - 1
    for some in (np.arange(rows), np.flatnonzero(rng.random(rows) < 0.5)):
        parts = classes(found, mass, some)
        assert len(parts) == sets
        assert sorted(np.concatenate(parts).tolist()) == some.tolist()
        assert all((np.diff(part) > 0).all() for part in parts)
    others = splits(steps_of(as_coded(weights.copy("F"))), mass, sets)
    for split, again in zip(found, others, strict=True):
        np.testing.assert_array_equal(split.preference, again.preference)


@pytest.mark.parametrize("rows", [64, 3 * SAMPLE_ROWS])
@pytest.mark.parametrize(
    "kinds",
    [
        [(0.3, 4), (0.3, 40)],
        [(0.1, 20), (0.6, 20)],
        [(0.3, 4), (0.3, 12), (0.3, 30), (0.3, 80)],
    ],
)
def test_rows_of_a_kind_stay_together(kinds, rows):
    rng = np.random.default_rng(1)
    columns = 120
    # As many rows of each kind as make its mass the same.
    counts = [max(1, round(rows / len(kinds) * 0.3 / density)) for density, _ in kinds]
    weights = np.concatenate(
        [
            sparse(rng, count, columns, density, scale)
            for count, (density, scale) in zip(counts, kinds, strict=True)
        ]
    )
    kind = np.repeat(np.arange(len(kinds)), counts)
    order = rng.permutation(len(weights))
    weights, kind = weights[order], kind[order]
    mass = mass_of(weights)
    found = splits(steps_of(weights), mass, len(kinds))
    parts = classes(found, mass, np.arange(len(weights)))
    purest = [np.bincount(kind[part]).max() for part in parts]
    assert sum(purest) >= 0.93 * len(weights)
    assert found[0].saved > 0.05 * np.count_nonzero(weights)
