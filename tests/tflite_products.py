"""Random TFLite models of one product of matrices, in every form that TFLM runs."""

from typing import Any

import numpy as np

from tests.tflite_builder import ModelSpec
from tests.tflite_windows import WindowMaker, nibbles


def random_product_model(kind: str, rng: np.random.Generator) -> ModelSpec:
    """One operator with random shapes, scales, zero points, weights and fused activation."""
    maker = WindowMaker(rng)
    {"FULLY_CONNECTED": _fully_connected, "BATCH_MATMUL": _batch_matmul}[kind](maker)
    return maker.model


def _fully_connected(maker: WindowMaker) -> None:
    """Constant int8 or int4 weights, or computed ones; ranks of 1 to 4, flattened or not."""
    m, rng = maker.model, maker.rng
    rows, columns = maker.small(20), int(rng.choice([1, 2, *rng.integers(1, 200, 4)]))
    form = str(rng.choice(["rows", "tensor", "tensor", "int4", "computed", "computed rows"]))
    per_row = "rows" in form
    scales = [maker.scale() for _ in range(rows if per_row else 1)]
    zero = maker.zero_point() if rng.random() < 0.6 else 0
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    if form == "int4":
        w = m.tensor((rows, columns), "int4", scales, zero, nibbles(weights >> 4))
    else:
        data = None if "computed" in form else weights
        w = m.tensor((rows, columns), scale=scales, zero_point=zero, data=data)
    before = tuple(maker.small(4) for _ in range(rng.integers(0, 3)))
    source = (*before, columns) if rng.integers(2) else (*before, columns, 1)
    if rng.integers(3) == 0:
        source = (int(np.prod(source)),)
    x = maker.image(source)
    flat = (int(np.prod(before)), rows)
    o = maker.image((*before, rows) if rng.integers(2) else flat, maker.scale(0.02, 5.0))
    own = m.tensors[x].scale
    bias = rng.integers(-3000, 3000, rows).astype(np.int32)
    b = m.tensor((rows,), "int32", [np.float32(own * s) for s in scales], data=bias)
    inputs = ([x, w, b], [x, w, -1], [x, w])[int(rng.integers(3))]
    options = {"FusedActivationFunction": int(rng.integers(4)), "KeepNumDims": bool(len(before))}
    m.operator("FULLY_CONNECTED", inputs, [o], ("FullyConnectedOptions", options))
    m.inputs, m.outputs = [x, w] if "computed" in form else [x], [o]


def _batch_matmul(maker: WindowMaker) -> None:
    """Two activations, one of them sometimes a constant, of two to five dimensions."""
    m, rng = maker.model, maker.rng
    rank = int(rng.integers(0, 4))
    batches = tuple(maker.small(3) for _ in range(rank))
    a, b = (_broadcast(maker, batches) for _ in range(2))
    if rng.integers(4):
        a = batches
    output = tuple(np.broadcast_shapes(a, b))
    rows, columns, common = maker.small(9), maker.small(9), maker.small(30)
    adjoint = bool(rng.integers(2)), bool(rng.integers(2))
    a += (common, rows) if adjoint[0] else (rows, common)
    b += (columns, common) if adjoint[1] else (common, columns)
    x, y = maker.image(a), maker.image(b)
    o = maker.image((*output, rows, columns), maker.scale(0.02, 5.0))
    constant: Any = rng.choice([-1, -1, -1, 0, 1])
    m.inputs = [x, y]
    if constant >= 0:
        fixed = m.inputs.pop(constant)
        shape = m.tensors[fixed].shape
        m.tensors[fixed].data = rng.integers(-128, 128, shape).astype(np.int8)
    options = {"AdjX": adjoint[0], "AdjY": adjoint[1]}
    m.operator("BATCH_MATMUL", [x, y], [o], ("BatchMatMulOptions", options))
    m.outputs = [o]


def _broadcast(maker: WindowMaker, batches: tuple[int, ...]) -> tuple[int, ...]:
    """Some of these dimensions as 1, or left away in front."""
    some = tuple(1 if maker.rng.random() < 0.3 else n for n in batches)
    return some[int(maker.rng.integers(0, len(some) + 1)) :] if maker.rng.random() < 0.4 else some
