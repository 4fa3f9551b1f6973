"""One model, quantised here, and our kernels beside its own runtime in floats."""

from collections import Counter
from pathlib import Path

import numpy as np

from compiler.floats.files import open_onnx
from compiler.floats.samples import Samples
from compiler.frontends.forms import computes_in_floats
from compiler.frontends.onnx.noise import (
    integers_of_call,
    noise_between,
    reals_of,
    scale_of,
)
from compiler.frontends.onnx.quantised import Quantised, quantised_model, read_float
from compiler.frontends.tflite.source import Source, kind_name
from kernels import Interpreter
from npu.errors import NpuError
from reports.shipped.domains import Data, data_of
from reports.shipped.inputs import halves
from reports.shipped.outside import Runtime, opened
from reports.shipped.rows import Found, Lost


def measured(path: Path, file: str, pictures: Path | None = None) -> Found:
    """Quantise a model and run it beside its own runtime, on other data than it was calibrated on.

    file : its path in its package, which says what it is given
    pictures : the folder of scikit-image's
    """
    found: Found = {"operators": {}, "integers": False}
    try:
        found["operators"], found["integers"] = _operators(path)
        if found["integers"]:
            return found
        outside = opened(path)
        data = data_of(file, list(outside.inputs), halves(path, pictures))
        found["runtime"], found["data"] = outside.name, data.what
        counts = [len(next(iter(half.values()))) for half in (data.calibration, data.others)]
        found["calls"] = counts
        onnx = path.suffix.lower() == ".onnx"
        source = read_float(
            path,
            Samples(data.calibration),
            fixed=data.fixed,
            outputs=list(outside.outputs) if onnx else None,
        )
        found["outputs"] = _beside(quantised_model(source), outside, data)
    except NpuError as error:
        found["refused"] = str(error)
    return found


def _operators(path: Path) -> tuple[dict[str, int], bool]:
    """How many of each kind, and whether they compute in integers."""
    if path.suffix.lower() == ".onnx":
        nodes = open_onnx(path).graph.node
        return dict(sorted(Counter(node.op_type for node in nodes).items())), False
    source = Source(path)
    count = source.guarded(source.open)
    source.turn_to(0)
    del count
    kinds = Counter(kind_name(source.operator(index)[0]) for index in source.operators())
    whole = not computes_in_floats(source.model, source.subgraph)
    return dict(sorted(kinds.items())), whole


def _beside(made: Quantised, outside: Runtime, data: Data) -> list[Lost]:
    """Both, call by call with states of their own."""
    graph, integers = made.source.graph, made.graph
    kernels = Interpreter(integers)
    takes = _by_name(graph.inputs, outside)
    floats: list[list[np.ndarray]] = [[] for _ in graph.outputs]
    whole: list[list[np.ndarray]] = [[] for _ in graph.outputs]
    for call in range(len(next(iter(data.others.values())))):
        feeds = {name: values[call] for name, values in data.others.items()}
        wanted = list(outside.call(feeds).values())
        fed = [
            integers_of_call(np.asarray(feeds[takes[name]]), integers.tensors[at])
            for name, at in zip(graph.inputs, integers.inputs, strict=True)
        ]
        given = kernels.invoke(fed)
        for number, (output, at) in enumerate(zip(given, integers.outputs, strict=True)):
            floats[number].append(wanted[number].reshape(-1).astype(np.float64))
            whole[number].append(reals_of(output, integers, at))
    return [
        _lost(name, np.array(floats[i]), np.array(whole[i]), scale_of(integers, at))
        for i, (name, at) in enumerate(zip(graph.outputs, integers.outputs, strict=True))
    ]


def _by_name(names: tuple[str, ...], outside: Runtime) -> dict[str, str]:
    """The runtime's name of each of our inputs; a signature calls them otherwise."""
    theirs = [each.name for each in outside.inputs]
    if set(names) <= set(theirs):
        return {name: name for name in names}
    if len(names) != len(theirs):
        raise NpuError(f"inputs {', '.join(names)} are not among {', '.join(theirs)}")
    return dict(zip(names, theirs, strict=True))


def _lost(name: str, floats: np.ndarray, whole: np.ndarray, scale: float) -> Lost:
    noise = noise_between(name, floats, whole, scale)
    return {
        "name": name,
        "decibels": _rounded(noise.decibels),
        "varying_decibels": _rounded(noise.varying_decibels),
        "worst_steps": round(noise.worst, 1),
    }


def _rounded(decibels: float) -> float | None:
    return round(decibels, 1) if np.isfinite(decibels) else None
