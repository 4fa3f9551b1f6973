"""The report of `npu zoo`: where the models, the compiler, the figures and the recipes meet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from compiler import Model, compile_model, load_model
from compiler.describe import model_report
from npu import zoo
from npu.analysis.layers import totals
from npu.analysis.model_figures import Figures, Today, chip_digest, read_figures
from npu.chip.params import PRESETS, ChipParams, load_params
from npu.errors import CapacityError
from npu.speech.spoken_sets import read_set, set_digest
from npu.zoo.provenance import Trained, provenance


class EntryReport(TypedDict):
    """A model of the zoo.

    Attributes
    ----------
    default : whether commands take it where nobody names a model.
    parameters : elements of its graphs' constants.
    bits : that the values of a tensor of weights need, of the one that needs most; see `bits_of`.
    graph_bytes : of its graphs' files, the .tflite. total_bytes : of all of its files.
    zeros, compressed_bytes : share of the weights, and the bytes that our codec makes of them with
        everything counted on `chip`; None where `refused` says why it does not fit that chip.
    made : how, in a few words. problem : what is missing or wrong in its provenance.
    recipe, recipe_sha256 : of a model that npu train made; the latter where it is known.
    place : its folder, seen from that of the package.
    """

    name: str
    kind: str
    default: bool
    parameters: int
    bits: int
    graph_bytes: int
    total_bytes: int
    chip: str
    zeros: float | None
    compressed_bytes: int | None
    refused: str | None
    made: str
    problem: str | None
    recipe: str | None
    recipe_sha256: str | None
    place: str


class ZooReport(TypedDict):
    """`npu zoo`.

    Attributes
    ----------
    recipes : each a `compiler.train.summary.ListedRecipe`; without training nobody needs that.
    most_bytes : that all models may take.
    """

    models: list[EntryReport]
    recipes: list[Any]
    total_bytes: int
    most_bytes: int


class ShownModel(TypedDict):
    """`npu zoo NAME`.

    Attributes
    ----------
    folder : where it lies on this machine.
    provenance : every field that is told. sources : its files with their SHA-256.
    sets, chips : the records of figures.json (`npu.analysis.model_figures`), each with `stale`:
        what has changed since.
    again : the commands that measure them again.
    """

    model: EntryReport
    folder: str
    provenance: dict[str, Any]
    sources: dict[str, str]
    sets: list[dict[str, Any]]
    chips: list[dict[str, Any]]
    again: list[str]


def bits_of(model: Model) -> int:
    """That number the values of an int8 weight tensor, of the one with most of them; at least 1.

    8 of weights on the whole grid; b of a code book of 2^b values.
    """
    most = 1
    for graph in model.graphs.values():
        for tensor in graph.tensors:
            if tensor.data is not None and tensor.dtype == "int8":
                most = max(most, (len(np.unique(tensor.data)) - 1).bit_length())
    return most


def entry(name: str, params: ChipParams) -> EntryReport:
    """A model of the zoo, on a chip. Raises NpuError where it cannot be read."""
    folder = zoo.path(name)
    model = load_model(folder)
    described = model_report(model)
    assert model.config is not None, "the zoo holds transducers"
    told = provenance(folder, model.config.provenance)
    parts = (model.config.encoder, model.config.decoder, model.config.joiner)
    weights, refused = None, None
    try:
        weights = totals(compile_model(model, params).header.layers)
    except CapacityError as error:
        refused = str(error)
    by = told.origin
    return {
        "name": name,
        "kind": described["kind"],
        "default": name == zoo.DEFAULT,
        "parameters": sum(graph["parameters"] for graph in described["graphs"].values()),
        "bits": bits_of(model),
        "graph_bytes": sum((folder / part.file).stat().st_size for part in parts),
        "total_bytes": sum(file.stat().st_size for file in zoo.files(name)),
        "chip": params.name,
        "zeros": None if weights is None else weights["sparsity"],
        "compressed_bytes": None if weights is None else -(-weights["compressed_bits"] // 8),
        "refused": refused,
        "made": told.made,
        "problem": told.problem,
        "recipe": by.recipe if isinstance(by, Trained) else None,
        "recipe_sha256": by.recipe_sha256 if isinstance(by, Trained) else None,
        "place": zoo.shown_place(name),
    }


def zoo_report(entries: Sequence[EntryReport], recipes: list[Any]) -> ZooReport:
    """The listing."""
    return {
        "models": list(entries),
        "recipes": recipes,
        "total_bytes": zoo.total_bytes(),
        "most_bytes": zoo.MOST_BYTES,
    }


def shown_model(name: str, of: EntryReport) -> ShownModel:
    """Everything about a model that is known. Raises NpuError for files that are wrong."""
    folder = zoo.path(name)
    model = load_model(folder)
    assert model.config is not None, "the zoo holds transducers"
    figures = read_figures(folder)
    today = _today(model, figures)
    records = [*figures.sets, *figures.chips]
    sets, chips = (
        [{**each.model_dump(mode="json"), "stale": today.stale(each)} for each in some]
        for some in (figures.sets, figures.chips)
    )
    return {
        "model": of,
        "folder": str(folder),
        "provenance": provenance(folder, model.config.provenance).fields,
        "sources": model.sources,
        "sets": sets,
        "chips": chips,
        "again": [*(each.command for each in records), f"npu zoo {name} --measure"],
    }


def _today(model: Model, figures: Figures) -> Today:
    """Of sets and chips those that come with the package; a user's own are not looked for."""
    sets = {}
    for name in {each.set for each in figures.sets} & set(zoo.names()):
        file = zoo.utterance_set(name)
        sets[name] = set_digest(file, read_set(file)) if file.is_file() else ""
    chips = {name: chip_digest(load_params(name)) for name in PRESETS}
    return Today(model.sources, sets, chips)


def inputs_of(names: Sequence[str]) -> list[Path]:
    """The files that are read, for `require_place`."""
    return [file for name in names for file in zoo.files(name)]
