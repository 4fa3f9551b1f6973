"""The calls of a single graph as a report."""

from collections.abc import Mapping

import numpy as np

from npu.analysis.energy import Activity, Costs, Powered, energy_uj
from npu.analysis.results import RunChip, RunReport
from npu.chip.summary import summary
from npu.chip.work import Work
from npu.runtime.sessions import GraphSession


def run_report(model: str, engine: str, calls: int, outputs: Mapping[str, np.ndarray]) -> RunReport:
    """What was run, and the shapes of the answers."""
    return {
        "model": model,
        "engine": engine,
        "calls": calls,
        "outputs": {n: {"dtype": str(a.dtype), "shape": a.shape} for n, a in outputs.items()},
    }


def run_chip(session: GraphSession, work: Work, activity: Activity | None = None) -> RunChip:
    """The chip's figures; `work` and `activity` are what the calls did, without boot and reset."""
    params, cycles = session.image.params, np.array(session.cycles)
    report: RunChip = {
        **summary(params),
        "mean_cycles": float(cycles.mean()),
        "max_cycles": int(cycles.max()),
        "mean_ms": params.milliseconds(float(cycles.mean())),
        "max_ms": params.milliseconds(int(cycles.max())),
        **work.report(params.lanes),
        "cycles": session.cycles,
    }
    if activity is not None:
        powered = Powered(params.milliseconds(float(cycles.sum())) / 1e3)
        report["energy_uj"] = energy_uj(Costs.of(params), activity, powered)
    return report
