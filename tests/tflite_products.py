"""Random TFLite models of one product of matrices, in every form that TFLM runs."""

from typing import Any

import numpy as np

from tests.tflite_builder import ModelSpec
from tests.tflite_windows import WindowMaker, nibbles


def random_product_model(kind: str, rng: np.random.Generator) -> ModelSpec:
    """One operator with random shapes, scales, zero points, weights and fused activation."""
    maker = WindowMaker(rng)
    {
        "BATCH_MATMUL": _batch_matmul,
        "FULLY_CONNECTED": _fully_connected,
        "SVDF": _svdf,
    }[kind](maker)
    return maker.model


def _fully_connected(maker: WindowMaker) -> None:
    """Constant int8 or int4 weights, or computed ones; ranks of 1 to 4, flattened or not."""
    m, rng = maker.model, maker.rng
    rows, columns = maker.small(20), int(rng.choice([1, 2, *rng.integers(1, 200, 4)]))
    forms = ["rows", "tensor", "tensor", "int4", "computed", "computed rows"]
    form, computed_bias = str(rng.choice(forms)), bool(rng.random() < 0.2)
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
    bias_scales = [np.float32(own * s) for s in scales]
    b = m.tensor((rows,), "int32", bias_scales, data=None if computed_bias else bias)
    inputs = ([x, w, b], [x, w, -1], [x, w])[0 if computed_bias else int(rng.integers(3))]
    options = {"FusedActivationFunction": int(rng.integers(4)), "KeepNumDims": bool(len(before))}
    m.operator("FULLY_CONNECTED", inputs, [o], ("FullyConnectedOptions", options))
    m.inputs = [x] + [w] * ("computed" in form) + [b] * computed_bias
    m.outputs = [o]


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


def _svdf(maker: WindowMaker) -> None:
    """Batches, ranks, memories of one call and more; int8 and int16 states."""
    m, rng = maker.model, maker.rng
    batch, features, memory, rank = (maker.small(n) for n in (3, 30, 8, 3))
    units = maker.small(9)
    filters = units * rank
    kind, most = [("int8", 127), ("int16", 32767)][int(rng.integers(2))]
    x = maker.image((batch, features))
    feature = rng.integers(-128, 128, (filters, features)).astype(np.int8)
    zeros = [maker.zero_point() if rng.random() < 0.2 else 0 for _ in range(2)]
    w = m.tensor(feature.shape, "int8", maker.scale(), zeros[0], feature)
    # In int16 mostly as the converter scales: states to some units, sums within the accumulator.
    fine = 1.0 if kind == "int8" or rng.random() < 0.2 else 1 / 256
    time = rng.integers(-most, most + 1, (filters, memory)).astype(kind)
    t = m.tensor(time.shape, kind, np.float32(maker.scale() * fine), zeros[1], time)
    zero = maker.zero_point() if kind == "int8" else 0
    state_scale = np.float32(maker.scale(0.02, 0.5) * fine)
    s = m.tensor((batch, filters * memory), kind, state_scale, zero, is_variable=True)
    bias = rng.integers(-3000, 3000, units).astype(np.int32)
    bias *= int(rng.choice([0, 1, 1, 100, 700000]))
    b = m.tensor((units,), "int32", np.float32(state_scale * m.tensors[t].scale), data=bias)
    o = maker.image((batch, units), maker.scale(0.02, 5.0))
    options = {"Rank": rank, "FusedActivationFunction": int(rng.integers(2))}
    m.operator("SVDF", [x, w, t, b, s], [o], ("SVDFOptions", options))
    m.inputs, m.outputs = [x], [o]


def chained_products(rng: np.random.Generator) -> ModelSpec:
    """FULLY_CONNECTED with a zero point of weights, BATCH_MATMUL of its output with itself, SVDF
    with an int16 state, and an LSTM over two sequences of two steps, time-major."""
    maker = WindowMaker(rng)
    m = maker.model

    def constant(shape: tuple[int, ...], scale: Any, zero: int = 0, dtype: str = "int8") -> int:
        most = {"int8": 127, "int16": 4000, "int32": 2000}[dtype]
        data = rng.integers(-most, most + 1, shape).astype(dtype)
        return m.tensor(shape, dtype, np.float32(scale), zero, data)

    x = m.tensor((4, 10), scale=np.float32(0.05), zero_point=-9)
    a = m.tensor((4, 6), scale=np.float32(0.25), zero_point=11)
    inputs = [x, constant((6, 10), 0.02, 31), constant((6,), 0.001, dtype="int32")]
    m.operator("FULLY_CONNECTED", inputs, [a], ("FullyConnectedOptions", {}))
    b = m.tensor((4, 4), scale=np.float32(4.0), zero_point=-40)
    m.operator("BATCH_MATMUL", [a, a], [b], ("BatchMatMulOptions", {"AdjY": True}))
    c = m.tensor((4, 5), scale=np.float32(0.06), zero_point=4)
    weights = constant((10, 4), 0.001), constant((10, 3), 0.0005, dtype="int16")
    state = m.tensor((4, 30), "int16", np.float32(0.004), is_variable=True)
    inputs = [b, *weights, constant((5,), 2e-6, dtype="int32"), state]
    m.operator("SVDF", inputs, [c], ("SVDFOptions", {"Rank": 2}))
    d = m.tensor((2, 2, 5), scale=np.float32(0.06), zero_point=4)
    m.operator("RESHAPE", [c], [d], ("ReshapeOptions", {"NewShape": [2, 2, 5]}))
    gates = [constant((9, 5), 0.01) for _ in range(4)] + [constant((9, 9), 0.01) for _ in range(4)]
    biases = [constant((9,), 0.0006, dtype="int32") for _ in range(4)]
    h = m.tensor((2, 9), scale=np.float32(1 / 128), zero_point=3, is_variable=True)
    cell = m.tensor((2, 9), "int16", np.float32(2.0**-12), is_variable=True)
    y = m.tensor((2, 2, 9), scale=np.float32(1 / 128), zero_point=3)
    options = {"FusedActivationFunction": 4, "TimeMajor": True}
    inputs = [d, *gates, -1, -1, -1, *biases, -1, -1, h, cell, -1, -1, -1, -1]
    name = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    m.operator(name, inputs, [y], ("UnidirectionalSequenceLSTMOptions", options))
    m.inputs, m.outputs = [x], [y]
    return m
