"""Energy of models on chips, at rest and at work, beside what others published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from npu.analysis.energy import Activity, Costs, Powered, always_on_uw, energy_uj
from npu.analysis.energy_results import ChipEnergy, ComparisonReport, EnergyReport, ModelEnergy
from npu.analysis.published import Published, published
from npu.chip.params import ChipParams
from npu.chip.summary import summary
from npu.chip.technology import asic_area, event_costs, power_states
from npu.runtime.calls import Inputs, Session, call, open_session
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image
from npu.twin.machine import Machine


@dataclass(frozen=True)
class Called:
    """A call of a model on a chip.

    Attributes
    ----------
    model, sources : its name, and its files with their SHA-256.
    seconds : that it takes.
    period_seconds : from one call to the next, of a model of sound; else None.
    """

    model: str
    sources: Mapping[str, str]
    params: ChipParams
    activity: Activity
    seconds: float
    period_seconds: float | None


def called(image: Image) -> Called:
    """The second call on inputs of zeros; the first may set up what stays."""
    session = open_session(image)
    zeros = _zeros(image)
    call(session, zeros)
    return called_with(session, image, zeros)


def called_with(session: Session, image: Image, inputs: Inputs) -> Called:
    """A call on the twin."""
    machine = session.machine
    assert isinstance(machine, Machine), "it made none of another kind"
    before = Activity.of(machine)
    call(session, inputs)
    done = Activity.of(machine) - before
    sound = image.header.transducer is not None
    return Called(
        model=image.header.model,
        sources=image.header.sources,
        params=image.params,
        activity=done,
        seconds=image.params.milliseconds(done.cycles) / 1e3,
        period_seconds=speech_of(image).seconds_per_call if sound else None,
    )


def call_uj(of: Called, params: ChipParams) -> dict[str, float]:
    """By cause: a call on the chip, as `params` describes its technology, that then stops."""
    return energy_uj(Costs.of(params), of.activity, Powered(of.seconds))


def listening_uw(of: Called, params: ChipParams, period_seconds: float) -> float:
    """Mean power where such a call comes every so often, see `npu.analysis.energy.always_on_uw`."""
    working = call_uj(of, params)["total"]
    return always_on_uw(Costs.of(params), working, period_seconds, of.seconds)


def energy_report(
    chips: Sequence[ChipParams], calls: Sequence[Called], refused: Sequence[str] = ()
) -> EnergyReport:
    """Everything about the chips, the calls, and the comparisons.

    refused : why models do not run on chips.
    """
    return {
        "chips": [chip_energy(params) for params in chips],
        "models": [_model(each) for each in calls],
        "refused": list(refused),
        "comparisons": [_compared(each, calls) for each in published()],
    }


def chip_energy(params: ChipParams) -> ChipEnergy:
    """What a chip's events cost, what it draws at rest, and its area."""
    power, area = power_states(params), asic_area(params)
    return {
        **summary(params),
        "node_nm": params.technology.node_nm,
        "voltage": params.technology.voltage,
        "external": params.technology.external,
        "idle_state": params.technology.idle,
        "event_pj": dict(event_costs(params)),
        "memory_leakage_uw": power.memory_uw,
        "logic_leakage_uw": power.logic_uw,
        "idle_uw": power.idle_uw,
        "wake_uj": power.wake_uj,
        "area": {
            "basis": "estimated",
            "memories_mm2": area.memories,
            "gates": area.gates,
            "logic_mm2": area.logic_mm2,
            "total_mm2": area.total_mm2,
            "access_ns": area.access_ns,
        },
    }


def _zeros(image: Image) -> list[np.ndarray]:
    header = image.header
    if header.transducer is not None:
        return [np.zeros(header.features.shape[1:], header.features.dtype)]
    return [np.zeros(tensor.shape, tensor.dtype) for tensor in header.invoke.inputs]


def _model(of: Called) -> ModelEnergy:
    params = of.params
    powers = None if of.period_seconds is None else listening_uw(of, params, of.period_seconds)
    return {
        "model": of.model,
        "sources": dict(of.sources),
        "chip": params.name,
        "cycles": of.activity.cycles,
        "ms": 1e3 * of.seconds,
        "energy_uj": call_uj(of, params),
        "period_ms": None if of.period_seconds is None else 1e3 * of.period_seconds,
        "always_on_uw": powers,
    }


def _compared(other: Published, calls: Sequence[Called]) -> ComparisonReport:
    """Ours at their node and voltage; a clock that ours has."""
    found = {}
    for each in calls:
        same_file = other.sha256 in each.sources.values()
        if not (same_file if other.sha256 else each.model == other.model):
            continue
        at = {"node_nm": other.node_nm, "voltage": other.voltage}
        technology = each.params.technology.model_copy(update=at)
        params = each.params.model_copy(update={"technology": technology})
        if other.unit == "uJ":
            found[params.name] = call_uj(each, params)["total"]
        else:
            assert other.period_ms is not None, "the table says it for every chip that listens"
            found[params.name] = listening_uw(each, params, other.period_ms / 1e3)
    missing = None
    if other.model and not found:
        missing = f"not run: give {other.model} as MODEL"
    return other.compared(found, missing)
