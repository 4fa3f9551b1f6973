"""The shares of a run, by hand, and the same on twin and RTL."""

from npu.chip.work import Work, utilisation


def test_by_hand():
    first = Work(10, 4, 3, 8, 64, 16)
    last = Work(1010, 104, 803, 808, 1064, 116)
    assert last - first == Work(1000, 100, 800, 800, 1000, 100)
    assert (last - first) + first == last
    found = (last - first).report(lanes=16)
    assert found["product_utilisation"] == 0.5
    assert found["run_utilisation"] == 0.05
    assert (found["wait_cycles"], found["bytes_read"], found["bytes_written"]) == (800, 1000, 100)


def test_nothing_ran():
    assert utilisation(0, 0, 16) == 0.0
