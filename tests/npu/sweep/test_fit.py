"""The search for the smallest chip, on models of chips that are easy to see through."""

import tomllib
from bisect import bisect_left
from itertools import product

import pytest

from compiler import load_model
from npu.chip.params import load_params, params_from_dict
from npu.errors import CapacityError
from npu.sweep.compute import compute, failed
from npu.sweep.fit import Search
from npu.sweep.grid import MOST, Grid
from npu.sweep.point import Point
from npu.sweep.size import area_mm2
from npu.sweep.toml import chip_toml
from npu.sweep.weights import Thinning

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


def trimmed(params, found, *memories):
    """A chip with some memories as large as what they hold, in whole 64 bytes."""
    sizes = {f"{name}_bytes": -(-found[f"{name}_bytes_used"] // 64) * 64 for name in memories}
    return params.model_copy(update=sizes)


def every_fit(grid, deadline_ms, evaluate):
    """(steps, area) of every chip of a grid that is in time with memories as large as they hold."""
    names = list(vars(grid))

    def in_time(found):
        return found["error"] is None and found["latency_ms"] <= deadline_ms

    for steps in product(*(range(len(getattr(grid, name))) for name in names)):
        values = {name: getattr(grid, name)[at] for name, at in zip(names, steps, strict=True)}
        if values["bus_bytes"] // 2 < values["vector_elements"]:
            continue
        params = EDGE.model_copy(update=MOST | values)
        # All of them at once, or parameter memory first: weights may lie otherwise then.
        for memories in (("param", "sram", "program"), ("param",)):
            if in_time(found := evaluate(params)):
                small = trimmed(params, found, *memories)
                if len(memories) == 1 and in_time(found := evaluate(small)):
                    small = trimmed(small, found, "sram", "program")
                if in_time(evaluate(small)):
                    yield dict(zip(names, steps, strict=True)), area_mm2(small)


SMALL = Grid(
    lanes=(4, 8, 16, 32, 64),
    bank_bytes=(512, 1024, 2048, 4096, 8192),
    param_bytes=(8192,),
    program_bytes=(8192,),
    vector_elements=(1, 2, 4),
    bus_bytes=(8, 16, 32, 64),
    activation_entries=(1024,),
)


@pytest.mark.parametrize("cycles", [1_500, 3_000, 6_000, 12_000, 20_000])
def test_no_neighbour_is_smaller(cycles):
    """Of all chips of a grid: none that a step makes of the answer, nor lanes for banks."""
    deadline = EDGE.milliseconds(cycles)
    fit = Search(EDGE, deadline, work, SMALL).run()
    names = ("lanes", "bank_bytes", "vector_elements", "bus_bytes")
    # Banks may also be as large as what they hold: between two steps then.
    at = {n: bisect_left(getattr(SMALL, n), getattr(fit.params, n)) for n in names}
    seen = 0
    for steps, area in every_fit(SMALL, deadline, work):
        away = {name: steps[name] - at[name] for name in names if steps[name] != at[name]}
        swapped = set(away) == {"lanes", "bank_bytes"} and sorted(away.values()) == [-1, 1]
        if (len(away) <= 1 and all(abs(n) == 1 for n in away.values())) or swapped:
            assert area >= fit.area_mm2, steps
            seen += 1
    assert seen


def test_the_zoo_on_every_chip_of_a_small_grid(tmp_path):
    """The smallest has little parameter memory: records of rows come with their tiles."""
    grid = Grid(
        lanes=(8, 16),
        bank_bytes=(8192,),
        param_bytes=(8192, 65536),
        program_bytes=(32768,),
        vector_elements=(8,),
        bus_bytes=(16,),
        activation_entries=(512,),
    )
    known = {}

    def evaluate(params):
        key = params.model_dump_json()
        if key not in known:
            sources = load_model("commands_rnnt").sources
            chip = params.model_dump(mode="json")
            point = Point("commands_rnnt", "zoo", sources, chip, Thinning(), frames=1)
            known[key] = compute(point, tmp_path)
        return known[key]

    fit = Search(EDGE, 0.2, evaluate, grid).run()
    assert fit.results["latency_ms"] <= 0.2 and fit.results["error"] is None
    areas = [area for _, area in every_fit(grid, 0.2, evaluate)]
    assert len(areas) >= 3 and fit.area_mm2 == min(areas) < 0.8 * max(areas)
    assert fit.params.param_bytes <= 8192


def test_no_chip_is_fast_enough():
    with pytest.raises(CapacityError, match=r"128 lanes.*bound by multiply.*--set clock_mhz=2"):
        Search(EDGE, EDGE.milliseconds(100), work).run()


def test_no_chip_holds_it():
    with pytest.raises(CapacityError, match="no chip runs it: too many"):
        Search(EDGE, 1.0, lambda params: failed("too many rows")).run()


def test_the_toml_describes_the_chip():
    params = EDGE.model_copy(update={"name": "a (b) + c, d=1"})
    text = chip_toml(params, "one\ntwo")
    assert text.startswith("# one\n# two\nname = ")
    assert params_from_dict(tomllib.loads(text), "x") == params
