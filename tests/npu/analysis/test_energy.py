"""Energy: by hand, of a run, and what it does when a chip is made otherwise."""

from dataclasses import astuple, fields, replace

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu.analysis.energy import (
    CAUSES,
    STATES,
    Activity,
    Costs,
    Powered,
    activity_of,
    energy_uj,
    largest,
    listening,
)
from npu.chip.params import load_params
from npu.chip.technology import EventCosts, PowerStates
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession, TransducerSession

ZERO = Activity(*(0 for _ in fields(Activity)))


def run(model, params, value=0, calls=1):
    """Energy of calls of a model on a chip, and what was counted."""
    image = compile_model(model, params)
    session = GraphSession(image)
    before = Activity.of(session.machine)
    inputs = tuple(np.full(x.shape, value, x.dtype) for x in image.header.invoke.inputs)
    for _ in range(calls):
        session.invoke(inputs)
    done = Activity.of(session.machine) - before
    seconds = params.milliseconds(done.cycles) / 1e3
    return energy_uj(Costs.of(params), done, Powered(seconds)), done


@pytest.fixture(scope="module")
def fc_wide(vectors):
    return load_model(vectors / "fc_wide.tflite")


def test_by_hand():
    costs = EventCosts(*range(1, len(fields(EventCosts)) + 1))
    power = PowerStates(1.0, 2.0, 3.0, {"retention": 0.5}, {"retention": 0.25})
    events = [2**n for n in range(len(fields(Activity)))]
    first = Activity(*(7 for _ in events))
    second = Activity(*(7 + each for each in events))
    done = second - first
    assert astuple(done) == tuple(events)
    found = energy_uj(Costs(costs, power, "retention"), done, Powered(2.0, 10.0, 4))
    assert found["multiply"] == pytest.approx(1 * done.symbols / 1e6)
    assert found["activations"] == pytest.approx(
        (4 * done.symbols + 5 * done.activation_words) / 1e6
    )
    assert found["loading"] == pytest.approx((7 * done.bank_writes + 11 * done.param_writes) / 1e6)
    assert found["clock"] == pytest.approx(15 * done.cycles / 1e6)
    assert (found["leakage"], found["idle"], found["wake"]) == (6.0, 5.0, 1.0)
    assert found["total"] == pytest.approx(sum(v for k, v in found.items() if k != "total"))
    assert largest(found, 2)[0] == ("leakage", 6.0)


def test_every_event_and_every_cost_belongs_to_a_cause():
    costs = [cost for of in CAUSES.values() for cost in of]
    assert sorted(costs) == sorted(field.name for field in fields(EventCosts))
    events = {event for of in CAUSES.values() for event in of.values()}
    assert events == {field.name for field in fields(Activity)}


def test_each_event_costs_something_of_its_own():
    """An event that is left out of the sum, or counted under another's cost, shows."""
    costs = Costs.of(load_params("edge"))
    for cause, of in CAUSES.items():
        for cost, event in of.items():
            found = energy_uj(costs, replace(ZERO, **{event: 10**6}), Powered(0.0))
            assert found[cause] > 0
            alone = dict(costs.events)
            assert found[cause] == pytest.approx(sum(alone[c] for c, e in of.items() if e == event))
            assert alone[cost] > 0


def test_an_overloaded_chip_never_waits():
    assert listening(2.0, 0.5, 3) == Powered(0.5, 1.5, 3)
    assert listening(2.0, 5.0, 3) == Powered(5.0, 0.0, 0)
    assert listening(2.0, 0.5, 3).seconds == 2.0


def test_parts_sum_to_the_whole(fc_wide):
    """So that an energy can be given to a layer or a command."""
    params = load_params("edge")
    _, done = run(fc_wide, params)
    half = Activity(*(each // 2 for each in astuple(done)))
    costs = Costs.of(params)
    parts = [energy_uj(costs, each, Powered(0.5, 0.5, 1)) for each in (half, done - half)]
    whole = energy_uj(costs, done, Powered(1.0, 1.0, 2))
    assert {k: parts[0][k] + parts[1][k] for k in whole} == pytest.approx(whole)


def test_everything_that_moves_is_counted(images):
    session = TransducerSession(Image.load(images / "zoo.npu"))
    session.accept(np.zeros((1, 2, 120), np.int8))
    done = Activity.of(session.machine)
    assert [field.name for field in fields(Activity) if getattr(done, field.name) <= 0] == []


def test_what_is_streamed_is_written_to_the_banks(fc_wide):
    _, streamed = run(fc_wide, load_params("edge").model_copy(update={"bank_bytes": 8192}))
    _, resident = run(fc_wide, load_params("edge"))
    assert resident.bank_writes == 0 < streamed.bank_writes
    assert resident.external_bytes < streamed.external_bytes
    # The same weights are decoded (other runs of zeros are coded), and the same results come out.
    assert resident.rows == streamed.rows
    assert resident.symbols == pytest.approx(streamed.symbols, rel=0.001)


def test_zeros_cost_as_much_as_other_operands(fc_wide):
    """The lanes multiply whatever they decode: an activation of zero saves nothing."""
    params = load_params("edge")
    assert run(fc_wide, params, 0) == run(fc_wide, params, 100)


def test_half_the_memory_costs_less_at_rest_and_by_access(fc_wide):
    """Halving the banks of a model that still fits: less leakage, less for every word."""
    whole = load_params("edge")
    half = whole.model_copy(update={"bank_bytes": whole.bank_bytes // 2})
    (first, done), (second, again) = run(fc_wide, whole), run(fc_wide, half)
    assert done == again
    assert second["banks"] < 0.9 * first["banks"]
    assert second["leakage"] < 0.7 * first["leakage"]
    assert {k: v for k, v in first.items() if k not in ("banks", "leakage", "total")} == {
        k: v for k, v in second.items() if k not in ("banks", "leakage", "total")
    }


def test_more_lanes_take_less_time_and_more_power(fc_wide):
    edge = load_params("edge").model_copy(update={"bank_bytes": 32768})
    wide = edge.model_copy(update={"lanes": 32})
    (first, done), (second, again) = run(fc_wide, edge), run(fc_wide, wide)
    assert again.cycles < 0.6 * done.cycles
    assert Costs.of(wide).power.active_uw > 1.5 * Costs.of(edge).power.active_uw
    assert Costs.of(wide).events.clock > 1.3 * Costs.of(edge).events.clock
    assert Costs.of(wide).events.activation_write == pytest.approx(
        2 * Costs.of(edge).events.activation_write
    )
    # A weight is multiplied once, wherever.
    assert second["multiply"] == pytest.approx(first["multiply"], rel=0.02)


def test_a_slower_clock_leaks_longer(fc_wide):
    fast = load_params("edge")
    slow = fast.model_copy(update={"clock_mhz": fast.clock_mhz / 10})
    (first, done), (second, again) = run(fc_wide, fast), run(fc_wide, slow)
    assert done == again
    assert second["leakage"] == pytest.approx(10 * first["leakage"])
    assert second["clock"] == first["clock"] and second["total"] > first["total"]


def test_less_voltage_and_a_smaller_node_take_less(fc_wide):
    def at(**changes):
        technology = load_params("edge").technology.model_copy(update=changes)
        return load_params("edge").model_copy(update={"technology": technology})

    first, _ = run(fc_wide, at())
    for changes in ({"voltage": 0.9}, {"node_nm": 28}):
        second, _ = run(fc_wide, at(**changes))
        for cause in ("multiply", "decode", "banks", "sram", "clock"):
            assert second[cause] < first[cause], (changes, cause)


def test_what_a_description_states_comes_before_what_is_derived(fc_wide):
    edge = load_params("edge")
    energy = edge.energy_pj.model_copy(update={"mac": 100.0, "leakage_mw": 5.0})
    mine = edge.model_copy(update={"energy_pj": energy})
    found, done = run(fc_wide, mine)
    assert found["multiply"] == pytest.approx(100.0 * done.symbols / 1e6)
    assert Costs.of(mine).power.active_uw == pytest.approx(5000.0)
    assert Costs.of(mine).power.idle_uw["retention"] < 600
    assert found["decode"] == run(fc_wide, edge)[0]["decode"]


def test_a_machine_that_counts_no_events_has_no_activity(fc_wide):
    assert activity_of(object()) is None
    assert set(STATES).isdisjoint(CAUSES)
