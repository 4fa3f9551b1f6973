"""Small chips, matrices, modules and graphs for the tests of the passes."""

import numpy as np

from compiler import Model, compile_model, load_model
from compiler.lowering.ir import Buffer, ChipModule, Matrix, MatVec, Segment
from compiler.lowering.site import GraphLowering
from npu.chip.isa import ElementType
from npu.chip.params import ChipParams, load_params
from npu.model.graph import Quantization
from npu.model.layer import Layer
from npu.runtime.sessions import GraphSession
from tests.conftest import ROOT

VECTORS = ROOT / "tests" / "vectors" / "tflite"
LAYER = Layer("main", "layer")


def chip(**changes):
    return ChipParams(**(load_params("tiny").model_dump() | changes))


def matrix(rows, columns, scales, seed=0, density=0.3):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    weights[rng.random(weights.shape) >= density] = 0
    return Matrix(
        Layer("", "m", rows=(rows,)),
        weights,
        bias=rng.integers(-(2**31), 2**31, rows),
        destination=rng.permutation(rows),
        multipliers=np.resize(rng.integers(2**30, 2**31, scales), rows),
        shifts=rng.integers(-20, 5, scales)[np.arange(rows) % scales],
        columns_used=columns,
    )


def module_of(*matrices):
    segment = Segment("main")
    src = Buffer("src", 1024, ElementType.INT8, 1024)
    dst = Buffer("dst", 256, ElementType.INT8, 256)
    for m in matrices:
        views = src.part(0, m.weights.shape[1]), dst.whole()
        segment.add(MatVec(m, *views, 0, 0, -128, 127), m.layer)
    src.persistent = True
    return ChipModule({"main": segment}, [src, dst], [])


def lowered():
    model = load_model(VECTORS / "joint.tflite")
    segment = Segment("main")
    lowering = GraphLowering(model.graphs["main"], chip(), segment)
    return ChipModule({"main": segment}, lowering.buffers, lowering.resets)


def quantization(scale=0.05, zero_point=3):
    return Quantization(np.array([scale], np.float32), zero_point)


def session(graph, **changes):
    model = Model("made", {"main": graph}, None, None, {})
    return GraphSession(compile_model(model, chip(**changes)))
