"""The page of gated blocks shows the last run."""

import json
from math import ceil, floor

import pytest

from reports import gates


@pytest.fixture
def points():
    return json.loads(gates.RUN.read_text(encoding="utf-8"))


def test_the_page_shows_the_last_run(points):
    assert gates.PAGE.read_text(encoding="utf-8") == gates.page(points), (
        "run: python -m reports.gates --page"
    )


def test_the_run_has_every_rate(points):
    for name in gates.WORKLOADS:
        own = {point["open"]: point for point in points if point["workload"] == name}
        count = next(iter(own.values()))["gates"]
        assert set(own) == {end(rate * count) for rate in gates.RATES for end in (floor, ceil)}
        for figure in ("cycles", "macs", "energy_uj"):
            values = [own[number][figure] for number in sorted(own)]
            assert values == sorted(values) and values[0] < values[-1]


def test_between_two_numbers_of_gates_lies_their_mean(points):
    name = gates.WORKLOADS[0]
    four, five = (
        point["cycles"] for point in points if point["workload"] == name and point["open"] in (4, 5)
    )
    assert gates.at_rate(points, name, 0.25, "cycles") == pytest.approx((four + five) / 2)
    assert gates.at_rate(points, name, 4 / 18, "cycles") == pytest.approx(four)
