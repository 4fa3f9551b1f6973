"""Models on chips, side by side."""

from collections.abc import Sequence

from npu.analysis.energies import call_uj, called_with, listening_uw
from npu.analysis.layers import memory_report
from npu.analysis.results_beside import ComparedModel, CompareReport, OnChipReport
from npu.chip.params import ChipParams
from npu.chip.summary import flat
from npu.chip.work import Work
from npu.errors import NpuError
from npu.runtime.calls import calls_of, open_session
from npu.runtime.image import Image


def on_chip(chip: str, image: Image | NpuError) -> OnChipReport:
    """One call of an image on the twin, or why there is none.

    chip : what the user called it. The inputs are random and always the same.
    """
    if isinstance(image, NpuError):
        return {"chip": chip, "refused": str(image)}
    session = open_session(image)
    before = Work.of(session.machine.counters)
    (inputs,) = calls_of(image, limit=1)
    of, params = called_with(session, image, inputs), image.params
    work = Work.of(session.machine.counters) - before
    cycles, bank = session.cycles[-1], memory_report(image)["bank"]
    report: OnChipReport = {
        "chip": chip,
        "cycles": float(cycles),
        "ms": params.milliseconds(cycles),
        "boot_ms": params.milliseconds(session.boot_cycles),
        "energy_uj": call_uj(of, params)["total"],
        "bytes_moved": float(work.bytes_read + work.bytes_written),
        "image_bytes": len(image.to_bytes()),
        "layers": [
            {
                "name": str(layer.layer),
                "tiles": layer.tiles,
                "resident_tiles": layer.resident_tiles,
                "streamed_bytes": layer.streamed_bytes,
            }
            for layer in image.header.layers
        ],
        "bank_full": bank["used"] / bank["size"],
        "run_utilisation": work.report(params.lanes)["run_utilisation"],
    }
    if of.period_seconds is not None:
        report["listening_uw"] = listening_uw(of, params, of.period_seconds)
    return report


def compare_report(
    chips: Sequence[tuple[str, ChipParams]], models: Sequence[ComparedModel]
) -> CompareReport:
    """What was measured, with the parameters in which the chips differ; chips : (name, chip)."""
    values = [flat(params.model_dump(mode="json", exclude={"name"})) for _, params in chips]
    return {
        "chips": [name for name, _ in chips],
        "parameters": {
            key: [one[key] for one in values]
            for key in values[0]
            if any(one[key] != values[0][key] for one in values)
        },
        "models": list(models),
    }
