"""The model of memories against its points, scaling, gates, power and area."""

from dataclasses import replace

import numpy as np
import pytest

from npu.chip.params import PRESETS, load_params
from npu.chip.technology import asic_area, event_costs, power_states
from npu.chip.technology.costs import gate_cycle_pj
from npu.chip.technology.logic import MEASURED, logic
from npu.chip.technology.macros import macros
from npu.chip.technology.scaling import SCALING, area_scale, energy_scale, interpolated
from npu.chip.technology.sram import (
    CHECKS,
    POINTS,
    TERMS,
    WORST_RATIO,
    WORST_RMS,
    Sram,
    fit,
    fits,
    points,
)

EDGE = load_params("edge")


def of(**changes):
    return EDGE.model_copy(update=changes)


def at(node_nm, voltage):
    technology = EDGE.technology.model_copy(update={"node_nm": node_nm, "voltage": voltage})
    return of(technology=technology)


@pytest.mark.parametrize("node", POINTS.node_nm)
@pytest.mark.parametrize("figure", TERMS)
def test_the_model_is_as_near_its_points_as_it_says(node, figure):
    found = fits(node)[figure]
    least, most = WORST_RATIO[figure]
    assert len(found.residuals) >= 35
    assert found.rms <= WORST_RMS[figure]
    assert least <= min(found.residuals) and max(found.residuals) <= most
    assert min(found.coefficients) > 0


def test_a_point_that_is_wrong_is_seen():
    of_node = [point for point in points() if point.node_nm == 40]
    for figure, (_, most) in WORST_RATIO.items():
        wrong = [
            point._replace(**{figure: getattr(point, figure) / 4}) if i == 7 else point
            for i, point in enumerate(of_node)
        ]
        found = fit(figure, wrong)
        assert found.rms > WORST_RMS[figure] and max(found.residuals) > most


def test_the_model_beside_published_memories():
    """Horowitz's are caches in a faster process: ours cost a share of them, never more."""
    ratios = [
        Sram(each.node_nm, each.voltage).read_pj(each.bytes, each.width_bytes) / each.read_pj
        for each in CHECKS
    ]
    assert ratios == sorted(ratios)
    assert min(ratios) > 0.4 and max(ratios) < 1.05


def test_memories_grow_with_what_they_hold():
    memory = Sram(40, 1.1)
    for capacity in (1024, 8192, 65536):
        for width in (4, 16):
            assert memory.read_pj(capacity, width) < memory.read_pj(2 * capacity, width)
            assert memory.read_pj(capacity, width) < memory.read_pj(capacity, 2 * width)
            assert memory.write_pj(capacity, width) < memory.write_pj(2 * capacity, width)
        assert 1.6 < memory.leakage_uw(2 * capacity) / memory.leakage_uw(capacity) < 2
        assert memory.access_ns(capacity) < memory.access_ns(2 * capacity)
    assert Sram(40, 0.9).read_pj(4096, 4) < memory.read_pj(4096, 4)
    assert Sram(40, 0.9).leakage_uw(4096) < memory.leakage_uw(4096)


def test_scaling():
    assert energy_scale(45, 0.9, 45, 0.9) == pytest.approx(1.0)
    assert energy_scale(45, 0.9, 22, 0.8) < energy_scale(45, 0.9, 32, 0.8) < 1
    assert energy_scale(40, 1.1, 22, 0.8) * energy_scale(22, 0.8, 40, 1.1) == pytest.approx(1.0)
    assert area_scale(45, 32) == pytest.approx(SCALING.area[32])
    assert SCALING.area[20] < area_scale(45, 22) < SCALING.area[32]
    assert interpolated({10: 1.0, 40: 16.0}, 20) == pytest.approx(4.0)
    with pytest.raises(ValueError, match="a node must be 16 to 90 nm, not 5"):
        area_scale(45, 5)


def test_gates_are_those_that_were_found():
    for name, found in MEASURED["chips"].items():
        params = load_params(name)
        units = found["units"]
        whole = units["matvec"] + units["vector"] + units["sequencer"] + units["dma"]
        assert logic(params).total == pytest.approx(whole + units["control"])
        assert logic(params).lane == units["lane"]
    assert logic(of(lanes=32)).total > 1.4 * logic(EDGE).total
    assert logic(of(vector_elements=4)).vector < logic(EDGE).vector


def test_an_access_moves_what_its_port_is_wide():
    found = macros(EDGE)
    assert found["banks"] == (16, 65536, 4, 16)
    assert found["activations"] == (16, 2048 * 9 / 8, 9 / 8, 18)
    assert found["sram"] == (2, 65536, 16, 16)


def test_costs_follow_the_sizes():
    costs = event_costs(EDGE)
    assert all(value > 0 for _, value in costs)
    half = event_costs(of(bank_bytes=EDGE.bank_bytes // 2))
    assert half.bank_read < 0.8 * costs.bank_read and half.bank_write < costs.bank_write
    same = replace(half, bank_read=costs.bank_read, bank_write=costs.bank_write)
    assert same == costs
    lpddr3 = EDGE.technology.model_copy(update={"external": "lpddr3"})
    assert event_costs(of(technology=lpddr3)).external_byte < costs.external_byte
    assert gate_cycle_pj(at(40, 1.1)) == pytest.approx(4.0 / 12000)


def test_states_draw_less_from_one_to_the_next():
    for name in PRESETS:
        power = power_states(load_params(name))
        idle = power.idle_uw
        assert power.active_uw == idle["clock_gated"] > idle["retention"] > idle["off"] > 0
        assert power.wake_uj["clock_gated"] == 0 < power.wake_uj["retention"]
        # Waking pays off within a call of 60 ms.
        assert power.wake_uj["retention"] < 0.06 * (idle["clock_gated"] - idle["retention"])


def test_area():
    whole, half = asic_area(EDGE), asic_area(of(bank_bytes=EDGE.bank_bytes // 2))
    assert 0.4 < half.memories["banks"] / whole.memories["banks"] < 0.6
    assert whole.total_mm2 == pytest.approx(sum(whole.memories.values()) + whole.logic_mm2)
    assert asic_area(at(22, 0.8)).total_mm2 < 0.5 * whole.total_mm2
    assert asic_area(of(lanes=32)).total_mm2 > 1.7 * whole.total_mm2
    assert np.isclose(whole.gates, logic(EDGE).total)
