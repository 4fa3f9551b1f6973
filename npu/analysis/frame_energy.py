"""The energy of a frame without a sound, and the power of a chip that waits between frames."""

from npu.analysis.energy import Costs, always_on_uw
from npu.analysis.energy_results import FrameEnergy
from npu.analysis.latency import Latency
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image


def frame_energy(image: Image, latency: Latency) -> FrameEnergy:
    """Of the frames of `image` that `npu.analysis.latency.latency_of` has run."""
    energy = dict(latency.total.energy_uj)
    period_ms = None
    if image.header.transducer is not None:
        period_ms = 1e3 * speech_of(image).seconds_per_call
    return {
        "decided": latency.decided,
        "energy_uj": energy,
        "period_ms": period_ms,
        "listening_uw": None if period_ms is None else _listening_uw(latency, period_ms),
    }


def _listening_uw(latency: Latency, period_ms: float) -> float:
    params = latency.params
    busy_ms = params.milliseconds(float(latency.frame_cycles.mean()))
    working = float(latency.total.energy_uj["total"])
    return always_on_uw(Costs.of(params), working, period_ms / 1e3, busy_ms / 1e3)
