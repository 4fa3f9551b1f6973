"""The search for the smallest chip, on models of chips that are easy to see through."""

import tomllib

import pytest

from npu.chip.params import load_params, params_from_dict
from npu.errors import CapacityError
from npu.sweep.compute import failed
from npu.sweep.fit import Search
from npu.sweep.size import area_mm2
from npu.sweep.toml import chip_toml

EDGE = load_params("edge")


def results(params, cycles, bank=1000):
    found = failed("")
    found["error"] = None
    found["bound_by"] = "multiply"
    found["latency_ms"] = params.milliseconds(cycles)
    found["bank_bytes_used"] = bank
    for name in ("param", "sram", "program", "external"):
        found[f"{name}_bytes_used"] = 5000
    return found


def work(params):
    """64,000 multiplications, 100 kB of weights that are streamed as far as they do not stay."""
    bank = -(-100_000 // params.lanes)
    streamed = max(0, bank - params.bank_bytes) * params.lanes / params.bus_bytes
    vector = 800 / params.vector_elements
    cycles = max(64_000 / params.lanes, streamed) + vector
    if min(params.param_bytes, params.sram_bytes, params.program_bytes) < 5000:
        return failed("too small")
    return results(params, cycles, min(bank, params.bank_bytes))


@pytest.mark.parametrize("cycles", [800, 2_000, 10_000, 100_000])
def test_it_is_in_time_and_nothing_can_be_a_step_smaller(cycles):
    search = Search(EDGE, EDGE.milliseconds(cycles), work)
    fit = search.run()
    assert fit.results["latency_ms"] <= EDGE.milliseconds(cycles)
    assert fit.params.sram_bytes == fit.params.param_bytes == fit.params.program_bytes == 5056
    for name in ("lanes", "vector_elements"):
        value = getattr(fit.params, name)
        if value > 1:
            smaller = fit.params.model_copy(update={name: value // 2})
            assert not search.in_time(smaller) or area_mm2(smaller) >= fit.area_mm2
    assert fit.params.clock_mhz == EDGE.clock_mhz and search.tried < 120


def test_a_later_deadline_needs_no_larger_chip():
    sizes = [
        Search(EDGE, EDGE.milliseconds(cycles), work).run().area_mm2
        for cycles in (700, 1_000, 3_000, 9_000, 90_000)
    ]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1]


def test_no_chip_is_fast_enough():
    with pytest.raises(CapacityError, match=r"128 lanes.*bound by multiply.*--set clock_mhz=2"):
        Search(EDGE, EDGE.milliseconds(100), work).run()


def test_no_chip_holds_it():
    with pytest.raises(CapacityError, match="no chip runs it: too many"):
        Search(EDGE, 1.0, lambda params: failed("too many rows")).run()


def test_the_toml_describes_the_chip():
    params = EDGE.model_copy(update={"name": 'a "b" \\ ü'})
    text = chip_toml(params, "one\ntwo")
    assert text.startswith("# one\n# two\nname = ")
    assert params_from_dict(tomllib.loads(text), "x") == params
