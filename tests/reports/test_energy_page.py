"""The page of energy and area, and what its run says."""

import json

import pytest

from npu.analysis.energies import chip_energy
from npu.analysis.energy_results import EnergyReport
from npu.analysis.published import published
from npu.chip.params import load_params
from npu.chip.technology import CONSTANTS
from reports import energy_page, synth_page
from tests.schemas import faults

RUN = json.loads(energy_page.RUN.read_text(encoding="utf-8"))


def test_the_page_shows_the_last_run():
    synth = json.loads(synth_page.RUN.read_text(encoding="utf-8"))
    text = energy_page.PAGE.read_text(encoding="utf-8")
    assert text == energy_page.page(RUN, synth), "run: python -m reports.energy_page"
    assert faults(RUN, EnergyReport) == []
    for name, constant in CONSTANTS.items():
        assert f"| `{name}` | {constant.value:g} {constant.unit} |" in text
        assert constant.source in text and constant.conditions in text


def _alike(found, wanted):
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            _alike(found[key], wanted[key])
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-9), "run npu bench energy again"
    else:
        assert found == wanted, "run npu bench energy again"


def test_the_run_is_of_the_chips_of_today():
    for chip in RUN["chips"]:
        again = json.loads(json.dumps(chip_energy(load_params(chip["name"]))))
        # The last digits are those of the machine.
        _alike(chip, again)


def test_every_published_figure_has_its_ratio_or_a_reason():
    table = published()
    assert len(RUN["comparisons"]) == len(table) >= 14
    for found, told in zip(RUN["comparisons"], table, strict=True):
        assert found["name"] == told.name and found["published"] == told.value
        assert found["ratio"] or found["why"].startswith("not comparable")
        assert bool(found["why"]) != found["same"]
        for chip, ratio in found["ratio"].items():
            assert ratio == found["ours"][chip] / found["published"]
