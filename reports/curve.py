"""Collect the runs of `npu train QUEUE -o FOLDER` into `reports/curve.json`, and write the page.

    npu train curve -o FOLDER
    python -m reports.curve FOLDER [--fit] [--place]

Each run's folder has its recipe and the figures that `npu train` kept. What is added here: bytes by
the codec; with --fit the smallest chip that holds the model and takes at most DEADLINE_MS a frame
at CLOCK_MHZ, by the search of `npu fit`, which takes minutes a run: of those that `is_usual` alone,
as another seed, or another way to as many zeros and values, has a chip of the same shape. With
--place as well its LUTs and clock, from place and route, which takes minutes a chip. A run that is
not done is left out, which is told.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mode
from typing import Any, TypedDict

from compiler import compile_model, load_model
from npu.analysis.layers import totals
from npu.analysis.model_figures import FILE_NAME, Figures, read_figures
from npu.chip.params import ChipParams, load_params
from npu.errors import NpuError
from npu.files import read_text, write_atomic
from npu.pools import cores, end_with_parent
from npu.sweep.fit import Search, evaluation
from npu.sweep.kept import users_folder
from npu.text import json_text

RUN = Path(__file__).with_name("curve.json")
CHIP = "edge"
"""Whose packed weights are counted."""
SEED = 1
CLOCK_MHZ = 80.0
DEADLINE_MS = 5.0
MAX_BYTES = 1 << 24


class Smallest(TypedDict):
    """A chip that holds a model in time.

    Attributes
    ----------
    chip : its values. area_mm2, ms, cycles : estimated area, and of the slowest frame.
    lut4, clock_mhz : from place and route; None where it was not placed.
    """

    chip: dict[str, Any]
    area_mm2: float
    ms: float
    cycles: int
    lut4: int | None
    clock_mhz: float | None


class PointReport(TypedDict):
    """A run.

    Attributes
    ----------
    name : of its folder. predictor, bits, seed, steps : of its recipe; target : zeros, likewise.
    pruned : by which method. coded : how a code book of fewer than 8 bits is learnt.
    zeros : share that is zero. weights : how many. bytes : packed, on CHIP.
    sets, chips : records of `npu.analysis.model_figures`.
    smallest : None where no chip does it, and where it is not looked for.
    """

    name: str
    predictor: str
    target: float
    bits: int
    seed: int
    steps: int
    pruned: str
    coded: str
    zeros: float
    weights: int
    bytes: int
    sets: list[dict[str, Any]]
    chips: list[dict[str, Any]]
    smallest: Smallest | None


class CurveReport(TypedDict):
    """All runs, by name."""

    chip: str
    clock_mhz: float
    deadline_ms: float
    points: list[PointReport]


def runs(folder: Path) -> Iterator[tuple[Path, dict[str, Any], Figures]]:
    """Folder, recipe and figures of each run that is done, by name; others are told."""
    for place in sorted(folder.iterdir()):
        if not (place / "recipe.json").is_file():
            continue
        model = place / "model"
        if not (model / FILE_NAME).is_file():
            sys.stderr.write(f"{place.name}: is not done, and left out\n")
            continue
        yield place, json.loads(read_text(place / "recipe.json", MAX_BYTES)), read_figures(model)


def point(run: tuple[Path, dict[str, Any], Figures]) -> PointReport:
    """What a run makes of the curve."""
    place, recipe, figures = run
    kept = figures.model_dump(mode="json")
    weights = totals(compile_model(load_model(place / "model"), load_params(CHIP)).header.layers)
    return {
        "name": place.name,
        "predictor": recipe["network"]["predictor"],
        "target": recipe["pruning"]["zeros"],
        "bits": recipe["quantisation"]["bits"],
        "seed": recipe["seed"],
        "steps": recipe["learning"]["steps"],
        "pruned": pruned(recipe["pruning"]),
        "coded": coded(recipe["quantisation"]),
        "zeros": weights["sparsity"] or 0.0,
        "weights": weights["weights"],
        "bytes": -(-weights["compressed_bits"] // 8),
        "sets": kept["sets"],
        "chips": kept["chips"],
        "smallest": None,
    }


def is_usual(point: PointReport, steps: int) -> bool:
    """Whether a run is the one that others are compared to: of SEED, learnt for as many steps as
    most, pruned by magnitude, its code book straight through.
    """
    return not way(point) and point["seed"] == SEED and point["steps"] == steps


def way(point: PointReport) -> str:
    """How a run was pruned or its code book learnt; empty of magnitude and straight through."""
    if point["pruned"] != "magnitude":
        return f"pruned by {point['pruned']}"
    return "" if point["coded"] in ("int8", "straight through") else f"coded: {point['coded']}"


def usual_steps(points: Sequence[PointReport]) -> int:
    """How long most runs learnt."""
    return mode(point["steps"] for point in points)


def pruned(of: dict[str, Any]) -> str:
    """Which weights are zero: "magnitude", "l1", or as "4 of 16"."""
    group = of.get("group")
    return of["method"] if group is None else f"{round((1 - of['zeros']) * group)} of {group}"


def coded(of: dict[str, Any]) -> str:
    """How the values of a code book are learnt."""
    if of["bits"] == 8:
        return "int8"
    drawn = of["regulariser"] > 0
    if of.get("forward") == "int8":
        return "regulariser" if drawn else "after training"
    return "both" if drawn else "straight through"


def smallest(model: Path) -> Smallest | None:
    """The chip that `npu fit` finds; None where no chip is in time."""
    base = load_params("tiny").model_copy(update={"clock_mhz": CLOCK_MHZ})
    loaded = load_model(model)

    costs = evaluation(str(model.resolve()), loaded.name, loaded.sources, users_folder())
    try:
        fit = Search(base, DEADLINE_MS, costs).run()
    except NpuError as error:
        sys.stderr.write(f"{model}: {error}\n")
        return None
    took, cycles = fit.results["latency_ms"], fit.results["latency_cycles"]
    assert took is not None and cycles is not None, "the search ends with a chip in time"
    return {
        "chip": fit.params.model_dump(mode="json"),
        "area_mm2": fit.area_mm2,
        "ms": took,
        "cycles": cycles,
        "lut4": None,
        "clock_mhz": None,
    }


def _carry_over(points: list[PointReport], file: Path) -> None:
    """The chips that were found before for runs of this name that take as many bytes."""
    if not file.is_file():
        return
    before = {each["name"]: each for each in json.loads(read_text(file, MAX_BYTES))["points"]}
    for each in points:
        same = before.get(each["name"])
        if same is not None and same["bytes"] == each["bytes"]:
            each["smallest"] = same["smallest"]


def placed(points: list[PointReport], pool: Executor) -> None:
    """Place and route the smallest chips, each once."""
    chips = {json.dumps(found["chip"]) for each in points if (found := each["smallest"])}
    results = dict(zip(sorted(chips), pool.map(_place, sorted(chips)), strict=True))
    for each in points:
        if found := each["smallest"]:
            found["lut4"], found["clock_mhz"] = results[json.dumps(found["chip"])]


def _place(chip: str) -> tuple[int | None, float | None]:
    from rtl.synth import synthesise

    result = synthesise(ChipParams.model_validate_json(chip), "chip", device="85k")
    return result.utilisation.lut4, result.fmax_mhz


def main(arguments: list[str] | None = None) -> int:
    """Collect, and write."""
    parser = argparse.ArgumentParser(prog="python -m reports.curve", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fit", action="store_true", help="look for the smallest chips")
    parser.add_argument("--place", action="store_true", help="look for them, and place and route")
    parser.add_argument("--json", type=Path, default=RUN)
    given = parser.parse_args(arguments)
    if not given.folder.is_dir():
        sys.stderr.write(f"error: {given.folder}: no such folder; give one of npu train QUEUE\n")
        return 1
    done = list(runs(given.folder))
    if not done:
        sys.stderr.write(f"error: {given.folder}: no run in it is done\n")
        return 1
    with ProcessPoolExecutor(
        cores(), mp_context=get_context("spawn"), initializer=end_with_parent
    ) as pool:
        points = list(pool.map(point, done))
        _carry_over(points, given.json)
        if given.fit or given.place:
            steps = usual_steps(points)
            usual = [each for each in points if is_usual(each, steps)]
            models = [given.folder / each["name"] / "model" for each in usual]
            for each, found in zip(usual, pool.map(smallest, models), strict=True):
                each["smallest"] = found
        if given.place:
            placed(points, pool)
    report: CurveReport = {
        "chip": CHIP,
        "clock_mhz": CLOCK_MHZ,
        "deadline_ms": DEADLINE_MS,
        "points": points,
    }
    write_atomic(given.json, json_text(report).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
