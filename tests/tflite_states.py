"""A model of layers with states, and of what stands around them where int16 and int32 occur."""

from typing import Any

import numpy as np

from tests.tflite_builder import ModelSpec


def chained_states(rng: np.random.Generator) -> ModelSpec:
    """int16 to int8, SVDF with an int8 state that wraps and a wide bias, FULLY_CONNECTED with
    computed weights and a bias, an LSTM of twelve steps whose weights have zero points, SOFTMAX to
    int16, and that to int32."""
    m = ModelSpec()

    def constant(shape: tuple[int, ...], scale: Any, zero: int = 0) -> int:
        data = rng.integers(-127, 128, shape).astype(np.int8)
        return m.tensor(shape, "int8", np.float32(scale), zero, data)

    def bias(n: int, scale: float, most: int) -> int:
        data = rng.integers(-most, most + 1, n).astype(np.int32)
        return m.tensor((n,), "int32", np.float32(scale), data=data)

    x = m.tensor((12, 10), "int16", np.float32(0.0006))
    a = m.tensor((12, 10), scale=np.float32(0.06), zero_point=-20)
    m.operator("QUANTIZE", [x], [a])
    b = m.tensor((12, 5), scale=np.float32(0.9), zero_point=4)
    weights = constant((10, 10), 0.02), constant((10, 4), 0.01)
    state = m.tensor((12, 40), scale=np.float32(0.15), zero_point=-50, is_variable=True)
    inputs = [a, *weights, bias(5, 0.0015, 90000), state]
    m.operator("SVDF", inputs, [b], ("SVDFOptions", {"Rank": 2}))
    w = m.tensor((6, 5), scale=np.float32(0.02), zero_point=3)
    c = m.tensor((12, 6), scale=np.float32(0.4), zero_point=7)
    inputs = [b, w, bias(6, 0.018, 1500)]
    m.operator("FULLY_CONNECTED", inputs, [c], ("FullyConnectedOptions", {}))
    d = m.tensor((1, 12, 6), scale=np.float32(0.4), zero_point=7)
    m.operator("RESHAPE", [c], [d], ("ReshapeOptions", {"NewShape": [1, 12, 6]}))
    gates = [constant((7, 6), 0.0004, 31) for _ in range(4)]
    gates += [constant((7, 7), 0.003, zero) for zero in (0, -128, 5, 127)]
    biases = [bias(7, 0.00016, 3000) for _ in range(4)]
    h = m.tensor((1, 7), scale=np.float32(1 / 128), zero_point=3, is_variable=True)
    cell = m.tensor((1, 7), "int16", np.float32(2.0**-12), is_variable=True)
    e = m.tensor((1, 12, 7), scale=np.float32(1 / 128), zero_point=3)
    inputs = [d, *gates, -1, -1, -1, *biases, -1, -1, h, cell, -1, -1, -1, -1]
    name = "UNIDIRECTIONAL_SEQUENCE_LSTM"
    options = {"FusedActivationFunction": 4}
    m.operator(name, inputs, [e], ("UnidirectionalSequenceLSTMOptions", options))
    f = m.tensor((1, 12, 7), "int16", np.float32(1 / 65536), -32768)
    m.operator("SOFTMAX", [e], [f], ("SoftmaxOptions", {"Beta": 1.0}))
    y = m.tensor((1, 12, 7), "int32", np.float32(1 / 32768))
    m.operator("QUANTIZE", [f], [y])
    m.inputs, m.outputs = [x, w], [y]
    return m
