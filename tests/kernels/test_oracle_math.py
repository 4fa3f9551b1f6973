"""Live comparison of arithmetic operators with TensorFlow Lite Micro, on random models of each."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.model.graph import Graph, quantization
from tests.tflite_builder import write
from tests.tflite_math import GENERATORS

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)

MODELS, CALLS = 10, 3


def inputs(graph: Graph, rng: np.random.Generator, call: int) -> list[np.ndarray]:
    """Every int8 where they fit, then ends of the range and zeros, then anything."""
    found = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        x = rng.integers(-128, 128, tensor.shape).astype(np.int8)
        if call == 0 and tensor.size == 256:
            x = np.arange(-128, 128, dtype=np.int8).reshape(tensor.shape)
        elif call == 1:
            odd = [-128, 127, quantization(tensor).zero_point]
            x = rng.choice(np.array(odd, np.int8), tensor.shape)
        found.append(x)
    return found


def differences(path: Path, rng: np.random.Generator) -> tuple[int, int]:
    """(elements compared, elements that differ) over some calls of a model."""
    graph = read_tflite(path)
    ours = Interpreter(graph)
    oracle = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 20)
    compared = wrong = 0
    for call in range(CALLS):
        given = inputs(graph, rng, call)
        for position, x in enumerate(given):
            oracle.set_input(x, position)
        oracle.invoke()
        for position, output in enumerate(ours.invoke(given)):
            answer = oracle.get_output(position)
            assert (answer.shape, answer.dtype) == (output.shape, output.dtype)
            compared += output.size
            wrong += int(np.count_nonzero(answer != output))
    return compared, wrong


@pytest.mark.parametrize("kind", GENERATORS)
def test_random_operators(tmp_path, kind):
    rng = np.random.default_rng([11, *kind.encode()])
    for index in range(MODELS):
        path = tmp_path / f"{kind}_{index}.tflite"
        path.write_bytes(write(GENERATORS[kind](kind, rng)))
        compared, wrong = differences(path, rng)
        assert compared > 0 and wrong == 0, path.name
