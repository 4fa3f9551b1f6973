"""What a point costs: a row of figures, or of words where it failed."""

import time
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

from compiler import Model, load_model
from npu.analysis.frame_energy import frame_energy
from npu.analysis.latency import Latency, latency_of
from npu.analysis.layers import memory_report, totals
from npu.chip.params import params_from_dict
from npu.errors import ModelError, NpuError
from npu.runtime.image import Image
from npu.sweep.images import image_of
from npu.sweep.kept import Kept
from npu.sweep.point import Point
from npu.sweep.size import area_mm2, on_chip_bytes

MODELS_AT_HAND = 4


class Results(TypedDict):
    """What is known of a point; None for what is not.

    Attributes
    ----------
    error : why there is nothing else, in words; None where all is well.
    compiled : whether the image was compiled for this very point; seconds : that the point took.
    decided : what decided where data would, in words.
    latency_cycles, latency_ms : of the slowest frame: a call of a graph, or an encoder call of a
        transducer with its symbols. mean_cycles : of all frames.
    deadline_ms : until the next frame comes, of a model that hears.
    real_time_factor : what a frame takes in the mean, over the deadline.
    energy_uj : of a frame, while the chip works; an estimate.
    listening_uw : mean power of a chip that hears all the time and waits between frames, estimated.
    area_mm2 : of the chip; an estimate.
    on_chip_bytes : of all memories on the chip.
    weights, zeros : how many, and the share of zeros. bits_per_weight : everything counted.
    weight_bytes : of tiles in external memory, with row records that are streamed with theirs.
    resident_bytes : of these, what stays in the banks.
    resident_share : the latter over the former.
    bank_bytes_used, ... : of the chip's memories; of the banks, of the fullest one.
    """

    error: str | None
    compiled: bool
    seconds: float
    decided: str | None
    latency_cycles: int | None
    mean_cycles: float | None
    latency_ms: float | None
    deadline_ms: float | None
    real_time_factor: float | None
    bound_by: str | None
    energy_uj: float | None
    listening_uw: float | None
    area_mm2: float | None
    on_chip_bytes: int | None
    weights: int | None
    zeros: float | None
    bits_per_weight: float | None
    weight_bytes: int | None
    resident_bytes: int | None
    resident_share: float | None
    boot_cycles: int | None
    bank_bytes_used: int | None
    param_bytes_used: int | None
    sram_bytes_used: int | None
    program_bytes_used: int | None
    external_bytes_used: int | None


def compute(point: Point, folder: str | Path | None) -> Results:
    """The results of a point, worked out unless they are kept in `folder`.

    A failure that the user can mend is a result like another one. What may go well the next time
    (no memory left, a fault of ours) is told, and not kept.
    """
    kept = Kept(folder)
    found = kept_results(point, kept)
    if found is not None:
        return found
    began = time.perf_counter()
    try:
        results = _worked_out(point, kept)
    except NpuError as error:
        results = failed(str(error))
    except MemoryError:
        return failed("not enough memory; take fewer workers")
    except Exception as error:
        return failed(f"a fault in this program ({type(error).__name__}: {error}); please report")
    results["seconds"] = time.perf_counter() - began
    kept.write_values(f"{point.key}.row", dict(results))
    return results


def kept_results(point: Point, kept: Kept) -> Results | None:
    """The results of a point, if they were worked out before."""
    values = kept.read_values(f"{point.key}.row")
    if values is None or set(values) != set(Results.__annotations__):
        return None
    found: Any = values
    return found


def failed(reason: str) -> Results:
    """The results of a point that has none."""
    results = _nothing()
    results["error"] = reason
    return results


def _nothing() -> Results:
    """The results of a point of which nothing is known yet."""
    found: Any = dict.fromkeys(Results.__annotations__)
    found |= {"compiled": False, "seconds": 0.0}
    return found


def _worked_out(point: Point, kept: Kept) -> Results:
    params = params_from_dict(dict(point.chip), "the point's chip")
    model = _model(point.model, point.signature, tuple(sorted(point.sources.items())))
    image, compiled = image_of(point, point.thinning.of(model), params, kept)
    latency = latency_of(image, frames=point.frames, symbols=point.symbols)
    results = _nothing()
    results["compiled"] = compiled
    _add_latency(results, image, latency)
    _add_weights(results, image)
    for memory, use in memory_report(image).items():
        results[f"{memory}_bytes_used"] = use["used"]  # type: ignore[literal-required]
    results["area_mm2"] = area_mm2(params)
    results["on_chip_bytes"] = on_chip_bytes(params)
    return results


@lru_cache(MODELS_AT_HAND)
def _model(place: str, signature: str | None, sources: tuple[tuple[str, str], ...]) -> Model:
    model = load_model(place, signature)
    if model.sources != dict(sources):
        raise ModelError(f"{place}: was changed while the sweep ran, or is another file here")
    return model


def _add_latency(results: Results, image: Image, latency: Latency) -> None:
    params = image.params
    mean = float(latency.frame_cycles.mean())
    results["decided"] = latency.decided
    slowest = int(latency.frame_cycles.max())
    results["latency_cycles"] = slowest
    results["mean_cycles"] = mean
    results["latency_ms"] = params.milliseconds(slowest)
    results["boot_cycles"] = latency.boot_cycles
    results["bound_by"] = latency.total.bound_by
    energy = frame_energy(image, latency)
    results["energy_uj"] = energy["energy_uj"]["total"]
    results["listening_uw"] = energy["listening_uw"]
    results["deadline_ms"] = deadline = energy["period_ms"]
    if deadline is not None:
        results["real_time_factor"] = params.milliseconds(mean) / deadline


def _add_weights(results: Results, image: Image) -> None:
    total = totals(image.header.layers)
    results["weights"] = total["weights"]
    results["zeros"] = total["sparsity"]
    results["bits_per_weight"] = total["bits_per_weight"]
    stays = total["resident_bytes"]
    results["resident_bytes"] = stays
    results["weight_bytes"] = n_bytes = stays + total["streamed_bytes"]
    results["resident_share"] = stays / n_bytes if n_bytes else None
