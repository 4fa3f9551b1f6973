"""How far the integers are from the floats: signal to quantisation noise, value by value."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.floats.graph import FloatGraph
from compiler.floats.run import run
from compiler.floats.samples import Samples
from compiler.quantise.ranges import Grid
from kernels import Interpreter
from npu.model.graph import Graph, Tensor


@dataclass
class Noise:
    """Of a value: sums over all elements of all calls.

    Attributes
    ----------
    signal, error : of squares
    varying : of squares, the mean of each element over the calls taken away
    worst : the largest error, in steps of the value's grid
    """

    name: str
    signal: float
    varying: float
    error: float
    worst: float

    @property
    def decibels(self) -> float:
        """10 lg of signal to noise; infinite where nothing is lost."""
        return _decibels(self.signal, self.error)

    @property
    def varying_decibels(self) -> float:
        """The same without what never changes."""
        return _decibels(self.varying, self.error)


def _decibels(signal: float, error: float) -> float:
    if error == 0:
        return float("inf")
    return float(10 * np.log10(signal / error)) if signal > 0 else float("-inf")


def noise_of(
    graph: FloatGraph, samples: Samples, integers: Graph, outputs_alone: bool = False
) -> list[Noise]:
    """Every value that both have, in the order in which it is computed; outputs come last.

    Both run call by call, each with states of its own: the noise of a value is what has come
    together since the first call.
    """
    number = {t.name: i for i, t in enumerate(integers.tensors) if t.quantization is not None}
    names = [n for node in graph.nodes for n in node.outputs if n in number]
    names = [n for n in dict.fromkeys(names) if n not in graph.outputs and not outputs_alone]
    kernels = Interpreter(integers)
    inputs = [integers.tensors[i] for i in integers.inputs]
    floats: dict[str, list[np.ndarray]] = {n: [] for n in (*names, *graph.outputs)}
    found: dict[str, list[np.ndarray]] = {n: [] for n in floats}
    shapes = {name: graph.shapes[name] for name in graph.inputs}
    calls = samples.calls(shapes)
    for values in run(graph, samples, names):
        given = next(calls)
        fed = [
            integers_of_call(given[name], tensor)
            for name, tensor in zip(graph.inputs, inputs, strict=True)
        ]
        outputs = kernels.invoke(fed)
        for name in names:
            if values[name].size == integers.tensors[number[name]].size:
                stored = integers.tensors[number[name]].shape
                floats[name].append(_as_stored(values[name], stored).reshape(-1))
                found[name].append(reals_of(kernels.tensor(number[name]), integers, number[name]))
        for name, output, at in zip(graph.outputs, outputs, integers.outputs, strict=True):
            floats[name].append(values[name].reshape(-1))
            found[name].append(reals_of(output, integers, at))
    return [
        noise_between(name, np.array(floats[name]), np.array(found[name]), scale_of(integers, at))
        for name, at in [
            *((name, number[name]) for name in names),
            *zip(graph.outputs, integers.outputs, strict=True),
        ]
        if floats[name]
    ]


def _as_stored(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A value in the order of its tensor's axes: channels lie last behind windows.

    Axes of 1 say nothing. Where both orders have the shape, the value's own is taken.
    """

    def wide(of: Sequence[int]) -> list[int]:
        return [n for n in of if n != 1]

    if values.ndim > 2 and wide(values.shape) != wide(shape):
        last = np.moveaxis(values, 1, -1)
        return last if wide(last.shape) == wide(shape) else values
    return values


def integers_of_call(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    """An input of a call as the integers of its tensor, in the tensor's shape."""
    grid = Grid.of(tensor)
    found = values.astype(np.int32) if grid is None else grid.quantised(values)
    return found.reshape(tensor.shape)


def reals_of(values: np.ndarray, graph: Graph, index: int) -> np.ndarray:
    """What integers of a tensor stand for, in a row."""
    quantization = graph.tensors[index].quantization
    assert quantization is not None
    steps = values.reshape(-1).astype(np.float64) - quantization.zero_point
    return np.asarray(steps * float(quantization.scale[0]))


def scale_of(graph: Graph, index: int) -> float:
    """A step of a tensor's grid."""
    quantization = graph.tensors[index].quantization
    assert quantization is not None
    return float(quantization.scale[0])


def noise_between(name: str, floats: np.ndarray, found: np.ndarray, scale: float) -> Noise:
    """Of what floats gave and what integers stood for, (calls, elements) each."""
    floats = floats.astype(np.float64)
    error = found - floats
    return Noise(
        name,
        float(np.sum(floats**2)),
        float(np.sum((floats - floats.mean(axis=0)) ** 2)),
        float(np.sum(error**2)),
        float(np.max(np.abs(error))) / scale,
    )
