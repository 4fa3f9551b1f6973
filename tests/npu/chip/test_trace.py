"""Records of commands, and where two sides part ways."""

from dataclasses import replace

import numpy as np
import pytest

from npu.chip.trace import Difference, Retire, first_cycle, first_difference

RECORDS = [Retire(pc, "ADD", 10 * pc, 10 * pc + 3, 7 * pc) for pc in range(4)]


def test_equal_sides_have_no_difference():
    assert first_difference(RECORDS, iter(RECORDS)) is None
    assert first_difference([], []) is None
    assert first_difference(np.arange(6).reshape(2, 3), np.arange(6)) is None
    assert first_difference(np.zeros(0), np.zeros(0)) is None


@pytest.mark.parametrize("field", ["pc", "name", "start", "end", "written"])
def test_a_record_differs_in_any_field(field):
    changed = list(RECORDS)
    other = {field: "MUL" if field == "name" else 99}
    changed[2] = replace(changed[2], **other)
    assert first_difference(RECORDS, changed) == Difference(2, RECORDS[2], changed[2])


def test_a_side_that_ends_first_differs_there():
    found = first_difference(RECORDS, RECORDS[:3])
    assert found == Difference(3, RECORDS[3], None)
    assert found.known == RECORDS[3]
    found = first_difference(RECORDS[:3], RECORDS)
    assert found == Difference(3, None, RECORDS[3])
    assert found.known == RECORDS[3]


@pytest.mark.parametrize("place", [0, 3, 5])
def test_the_first_element_that_differs(place):
    left = np.arange(6, dtype=np.int8).reshape(2, 3)
    right = left.copy()
    right.reshape(-1)[place:] += 1
    assert first_difference(left, right) == Difference(place, place, place + 1)


def test_a_shorter_array_ends_first():
    left = np.arange(3)
    assert first_difference(left, left[:2]) == Difference(2, 2, None)
    assert first_difference(left[:0], left) == Difference(0, None, 0)


def test_the_first_cycle_that_differs():
    record = Retire(5, "ADD", 100, 110, 0)
    assert first_cycle(record, None) == first_cycle(None, record) == 100
    assert first_cycle(record, replace(record, start=90, end=105)) == 90
    assert first_cycle(record, replace(record, end=105)) == 105
    assert first_cycle(record, replace(record, written=1)) == 110
