"""Models on chips, side by side."""

from collections.abc import Sequence

from npu.analysis.layers import memory_report
from npu.analysis.results_beside import ComparedModel, CompareReport, OnChipReport
from npu.chip.params import ChipParams
from npu.chip.work import Work
from npu.errors import NpuError
from npu.runtime.calls import call, calls_of, open_session
from npu.runtime.image import Image

ENERGY = "energy_pj"


def on_chip(chip: str, image: Image | NpuError) -> OnChipReport:
    """One call of an image on the twin, or why there is none.

    chip : what the user called it. The inputs are random and always the same.
    """
    if isinstance(image, NpuError):
        return {"chip": chip, "refused": str(image)}
    session = open_session(image)
    before = Work.of(session.machine.counters)
    for inputs in calls_of(image, limit=1):
        call(session, inputs)
    work = Work.of(session.machine.counters) - before
    cycles, bank = session.cycles[-1], memory_report(image)["bank"]
    return {
        "chip": chip,
        "cycles": float(cycles),
        "ms": image.params.milliseconds(cycles),
        "boot_ms": image.params.milliseconds(session.boot_cycles),
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
        "run_utilisation": work.report(image.params.lanes)["run_utilisation"],
    }


def compare_report(
    chips: Sequence[tuple[str, ChipParams]], models: Sequence[ComparedModel]
) -> CompareReport:
    """What was measured, with the parameters in which the chips differ; chips : (name, chip)."""
    values = [params.model_dump(exclude={"name"}) for _, params in chips]
    flat = [
        {k: v for k, v in value.items() if k != ENERGY}
        | {f"{ENERGY}.{k}": v for k, v in value[ENERGY].items()}
        for value in values
    ]
    return {
        "chips": [name for name, _ in chips],
        "parameters": {
            key: [one[key] for one in flat]
            for key in flat[0]
            if any(one[key] != flat[0][key] for one in flat)
        },
        "models": list(models),
    }
