"""A file and its calibration data become an integer model."""

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from compiler.floats.graph import FloatGraph
from compiler.floats.rewrite import normal
from compiler.floats.run import agree, moments, observe, run
from compiler.floats.samples import Samples
from compiler.floats.seen import Seen
from compiler.floats.trace import Traced, read_onnx
from compiler.frontends.onnx.noise import Noise, noise_of
from compiler.frontends.tflite.read import read_tflite
from compiler.frontends.tflite_float.read import read_float_tflite
from compiler.quantise.choose import DEFAULT
from compiler.quantise.correct import corrected, with_biases
from compiler.quantise.equalise import SHARES, equalised
from compiler.quantise.known import weights_of_file
from compiler.quantise.quantise import quantised
from compiler.quantise.ranges import Grid
from compiler.quantise.weights import Stored, WeightPlan, matrices, stored_weights
from compiler.tflite_writer import write
from npu.errors import ModelError, UnsupportedError
from npu.model.graph import Graph

_MEASURED = 32
"""Calls on which it is measured what equal channels bring."""
_STEPS_APART = 0.05
"""Of the largest value: a dozen steps of int8."""


@dataclass(frozen=True, eq=False)
class FloatModel:
    """A float model and what its calibration saw.

    Attributes
    ----------
    graph : normal, as `compiler.floats.rewrite` has it
    samples : of its inputs
    seen : of its values
    """

    graph: FloatGraph
    samples: Samples
    seen: Mapping[str, Seen]


@dataclass(frozen=True, eq=False)
class Quantised:
    """An integer model.

    Attributes
    ----------
    data : the bytes of the `.tflite` file
    graph : what the file's reader makes of it
    """

    source: FloatModel
    data: bytes
    graph: Graph

    @property
    def rounding_as_onnx(self) -> Graph:
        """The graph; of a file that holds integers with products that are rounded once, as it says.

        The `.tflite` file cannot say so: TFLM rounds twice.
        """
        return replace(self.graph, rounds_once=self.source.graph.on_grids)

    def noise(self) -> list[Noise]:
        """By value, over the calibration data; see `noise_of`."""
        return noise_of(self.source.graph, self.source.samples, self.graph)

    def grid(self, name: str) -> Grid:
        """Of an input or output. Raises ModelError where it has none."""
        ends = dict(zip(self.source.graph.inputs, self.graph.inputs, strict=True))
        ends |= dict(zip(self.source.graph.outputs, self.graph.outputs, strict=True))
        grid = Grid.of(self.graph.tensors[ends[name]])
        if grid is None:
            raise ModelError(f"{self.source.graph.name}: {name!r} is of integers")
        return grid


def read_float(
    path: str | Path,
    samples: Samples,
    states: Mapping[str, str] | None = None,
    fixed: Collection[str] = (),
    outputs: Collection[str] | None = None,
    signature: str | None = None,
    equalise: bool = False,
) -> FloatModel:
    """Read, simplify and calibrate a model of ONNX, or of TFLite by its suffix.

    Parameters are those of `read_onnx`; `signature` is of a file of TFLite that has several,
    `equalise` whether channels that differ in size are made alike.

    Raises ModelError and UnsupportedError as `compiler.floats.trace.read_onnx`, and where the
    simplified graph does not answer as the file does.
    """
    if Path(path).suffix.lower() == ".tflite":
        told = (states, fixed, outputs, signature)
        return calibrated(read_float_tflite(path, samples, *told), equalise)
    if signature is not None:
        raise ModelError(f"{path}: its format has no signatures to choose from")
    return calibrated(read_onnx(path, samples, states, fixed, outputs), equalise)


def calibrated(traced: Traced, equalise: bool = False) -> FloatModel:
    """A graph as it was read, made normal; its first call must be as it was.

    equalise : whether channels that differ in size are made alike, see `compiler.quantise.equalise`
    """
    simple, samples = normal(traced.graph), traced.samples
    found = next(iter(run(simple, samples)))
    on_grids = simple.on_grids
    for name, wanted in traced.first.items():
        # A magnitude's turns are within 0.06 %, see `compiler.floats.rewrite.magnitude`.
        # A value that lies between two steps of a grid may go to either, as sums are ordered.
        if not agree(wanted, found[name], _STEPS_APART if on_grids else 2e-3):
            raise ModelError(
                f"{simple.name}: its simplified form answers otherwise in {name!r}; a fault "
                "of zeroskip: report it with the model"
            )
    seen = observe(simple, samples)
    for name, limit in traced.limits.items():
        if name in seen and max(abs(seen[name].least), abs(seen[name].most)) >= limit:
            raise UnsupportedError(
                f"{simple.name}: {name!r} is clipped at {limit:g} on {samples.place}, which has no "
                "form in a float graph; train without the clip"
            )
    model = FloatModel(simple, samples, seen)
    return _alike(model) if equalise else model


def _alike(plain: FloatModel) -> FloatModel:
    """With channels alike by whichever share loses least on the first calls, or as it was."""
    models = [plain]
    for share in SHARES:
        graph = equalised(plain.graph, plain.samples, share)
        if graph is not plain.graph:
            models.append(FloatModel(graph, plain.samples, observe(graph, plain.samples)))
    if len(models) == 1:
        return plain
    return min(models, key=lambda model: _lost(quantised_model(model)))


def _lost(made: Quantised) -> float:
    """The mean over the outputs of the logarithm of what the first calls lose in integers."""
    few = made.source.samples.first(_MEASURED)
    noise = noise_of(made.source.graph, few, made.graph, outputs_alone=True)
    return float(np.mean([np.log(max(each.error, 1e-30)) for each in noise]))


def quantised_model(
    source: FloatModel,
    method: str = DEFAULT,
    told: Mapping[str, Grid] | None = None,
    plan: WeightPlan | None = None,
) -> Quantised:
    """The integer model of a calibrated one; `method` and `told` as `quantised` takes them.

    plan : of its weights, eight bits each unless given; ranges are seen again with what they
        become
    """
    graph, seen = source.graph, source.seen
    stored = weights_of_file(graph)
    if plan is not None and (graph.steps or graph.on_grids):
        # Biases beside integers of a file are right already.
        plan = replace(plan, correct=False)
    if plan is not None and not plan.plain:
        graph, stored = _planned(graph, source.samples, plan)
        seen = observe(graph, source.samples)
    clip, wide = (0.0, True) if plan is None else (plan.cell_clip, plan.wide)
    data = write(quantised(graph, seen, method, told, stored, clip, wide))
    with tempfile.TemporaryDirectory(prefix="zeroskip-") as folder:
        file = Path(folder, f"{Path(source.graph.name).stem}.tflite")
        file.write_bytes(data)
        return Quantised(source, data, read_tflite(file))


def _planned(
    graph: FloatGraph, samples: Samples, plan: WeightPlan
) -> tuple[FloatGraph, dict[tuple[str, int], Stored]]:
    """The graph with its weights and biases as they become, and the weights' integers."""
    before = with_biases(graph) if plan.correct else graph
    moves = plan.reconstruct and not replace(plan, correct=False).plain
    names = [m.source for m in matrices(before) if m.source] if moves else []
    known = moments(before, samples, names) if names else {}
    after, stored = stored_weights(before, plan, known)
    return corrected(before, after, samples) if plan.correct else after, stored
