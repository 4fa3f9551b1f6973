"""Gated clocks: twin = RTL, and what stands in a unit whose clock stands."""

import re
from pathlib import Path

import pytest

import rtl.top
from compiler import load_model
from npu.analysis.sides import Machines, Sides
from npu.chip.params import load_params
from npu.cli._models import compile_for
from npu.runtime.calls import calls_of
from npu.twin.machine import Machine
from rtl.export import to_verilog
from rtl.shared.options import GATED, Options
from rtl.sim import verilate
from rtl.sim.machine import RtlMachine
from tests.rtl.sim.still import monitored, unmeant

VECTORS = Path(__file__).parents[2] / "vectors" / "tflite"
OPTIONS = Options(clock_gating=True)


class Gated(RtlMachine):
    """The chip with gates in its clocks."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, options=OPTIONS, **options)


class Watched(Gated):
    """The same with open gates and a monitor of every register."""

    def _build(self, variant, progress):
        verilog, monitors = monitored(to_verilog(self.params, OPTIONS))
        return verilate.build(verilog, self.params.bus_bytes, verilate.Variant(checks=monitors))


def sides(model: str, machine: type[RtlMachine], calls: int = 1) -> Sides:
    image = compile_for(load_model(model), load_params("tiny"))
    found = Sides(image, Machines(Machine, machine), {})
    found.run(calls_of(image, None, None, calls), lambda _: None)
    return found


@pytest.mark.parametrize("model", ["windows", "arithmetic", "lstm_small", "products"])
def test_twin_and_rtl_are_equal(model):
    found = sides(str(VECTORS / f"{model}.tflite"), Gated)
    assert found.difference is None and found.lockstep.compared > 10
    assert found.clocked is not None and set(found.clocked) == set(GATED)
    assert all(0 < share < 1 for share in found.clocked.values())


def moved(capfd) -> dict[str, int]:
    """Registers that moved without a clock, and how many cycles behind the last one."""
    lines = re.findall(r"^moved: \S*?chip\.(\S+) (\d+)$", capfd.readouterr().out, re.MULTILINE)
    return {place.replace("still_", ""): int(cycles) for place, cycles in lines}


@pytest.mark.long
def test_nothing_moves_where_the_clock_stands(capfd):
    """Nothing but what follows a shared port and is read by nobody."""
    found = sides("commands_rnnt", Watched)
    assert found.difference is None
    assert not unmeant(moved(capfd))


@pytest.mark.long
def test_a_clock_that_stands_a_cycle_too_early_is_found(capfd, monkeypatch):
    monkeypatch.setattr(rtl.top, "SETTLING", rtl.top.SETTLING - 1)
    assert sides("commands_rnnt", Watched).difference is None
    assert unmeant(moved(capfd))
