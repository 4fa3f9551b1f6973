"""What was recorded of area and clock."""

import json

from reports import synth_history
from reports.synth_history import Then, UnitThen, entry, with_entries
from tests.schemas import faults


def then(date: str, lut4: int) -> Then:
    return Then(date=date, tools={}, units={"chip": UnitThen(lut4=lut4, mhz=80.0)})


def test_the_last_entry_is_the_run_of_today():
    run = json.loads(synth_history.RUN.read_text(encoding="utf-8"))
    history = synth_history.read()
    assert faults(history, list[Then]) == []
    assert history[-1]["units"] == entry(run, "")["units"], "run: python -m reports.synth_history"


def test_entries_stay_and_none_comes_twice():
    known = [then("2026-01-01", 1), then("", 7)]
    found = [then("2026-02-01", 2), then("2026-03-01", 1), then("", 3)]
    assert [e["units"]["chip"]["lut4"] for e in with_entries(known, found)] == [1, 2, 3]


def test_a_unit_that_was_not_there_yet_is_left_empty():
    old = Then(date="2026-01-01", tools={}, units={"lane": UnitThen(lut4=5, mhz=9.0)})
    assert synth_history.table([old, then("", 1)])[2:] == [
        "| 2026-01-01 |  |",
        "| now | 1 / 80.0 |",
    ]
