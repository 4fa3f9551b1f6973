"""Small TFLite models for tests."""

from typing import Any

import numpy as np

from compiler.tflite_writer import TYPES, ModelSpec, OperatorSpec, Signature, TensorSpec, write

__all__ = [
    "TYPES",
    "ModelSpec",
    "OperatorSpec",
    "Signature",
    "TensorSpec",
    "foreign_model",
    "random_model",
    "write",
]


def foreign_model() -> bytes:
    """A sound model with an operator that TensorFlow Lite Micro does not have."""
    m = random_model("TANH", np.random.default_rng(0))
    m.operators[0].kind = "SKIP_GRAM"
    return write(m)


def random_model(kind: str, rng: np.random.Generator) -> ModelSpec:
    """One operator with random scales, zero points, weights and fused activation."""

    def scale(lo: float = 0.004, hi: float = 0.2) -> np.float32:
        return np.float32(np.exp(rng.uniform(np.log(lo), np.log(hi))))

    def zero_point() -> int:
        return int(rng.integers(-128, 128))

    m = ModelSpec()
    n = int(rng.integers(1, 40))
    activation = int(rng.integers(0, 4))
    match kind:
        case "ADD" | "MUL":
            a, b, o = (m.tensor((1, n), scale=scale(), zero_point=zero_point()) for _ in range(3))
            name = kind.title() + "Options"
            m.operator(kind, [a, b], [o], (name, {"FusedActivationFunction": activation}))
            m.inputs, m.outputs = [a, b], [o]
        case "MAXIMUM":
            # Compared as integers, whatever the scales say.
            a, b, o = (m.tensor((1, n), scale=scale(), zero_point=zero_point()) for _ in range(3))
            m.operator(kind, [a, b], [o], ("MaximumMinimumOptions", {}))
            m.inputs, m.outputs = [a, b], [o]
        case "TANH" | "LOGISTIC" | "QUANTIZE" | "RELU" | "RELU6":
            source = TensorSpec((1, 256), scale=scale(0.002, 2.0), zero_point=zero_point())
            output = {
                "TANH": (1 / 128, 0),
                "LOGISTIC": (1 / 256, -128),
                "RELU6": (source.scale, source.zero_point),
            }.get(kind, (scale(0.002, 2.0), zero_point()))
            m.tensors.append(source)
            m.tensor((1, 256), scale=output[0], zero_point=output[1])
            m.operator(kind, [0], [1], *([("QuantizeOptions", {})] if kind == "QUANTIZE" else []))
            m.inputs, m.outputs = [0], [1]
        case "FULLY_CONNECTED":
            rows, vectors = int(rng.integers(2, 30)), int(rng.integers(1, 4))
            per_channel = bool(rng.integers(2))
            weights = rng.integers(-127, 128, (rows, n)).astype(np.int8)
            weights[rng.random(weights.shape) < rng.random()] = 0
            w_scale = [scale() for _ in range(rows)] if per_channel else [scale()]
            x = m.tensor((1, vectors, n), scale=scale(), zero_point=zero_point())
            w = m.tensor((rows, n), scale=w_scale, data=weights)
            bias = rng.integers(-3000, 3000, rows).astype(np.int32)
            b_scale = [np.float32(m.tensors[x].scale * s) for s in w_scale]
            bias_index = m.tensor((rows,), "int32", b_scale, data=bias)
            if not rng.integers(3):
                bias_index = -1
            o = m.tensor((1, vectors, rows), scale=scale(0.02, 5.0), zero_point=zero_point())
            options = {"FusedActivationFunction": activation, "KeepNumDims": True}
            m.operator(kind, [x, w, bias_index], [o], ("FullyConnectedOptions", options))
            m.inputs, m.outputs = [x], [o]
        case "UNIDIRECTIONAL_SEQUENCE_LSTM":
            _random_lstm(m, rng, n, scale, zero_point)
        case _:
            raise ValueError(kind)
    return m


def _random_lstm(m: ModelSpec, rng: np.random.Generator, n: int, scale: Any, zero: Any) -> None:
    units, time = int(rng.integers(1, 20)), int(rng.choice([1, 2, 3, 4, 9, rng.integers(10, 30)]))
    batch, time_major = int(rng.choice([1, 1, 2, 3])), bool(rng.integers(2))
    steps = (time, batch) if time_major else (batch, time)
    x = m.tensor((*steps, n), scale=scale(0.01, 0.05), zero_point=zero())

    shifted = rng.random() < 0.3

    def weights(columns: int) -> int:
        data = rng.integers(-127, 128, (units, columns)).astype(np.int8)
        return m.tensor((units, columns), "int8", scale(0.005, 0.05), zero() * shifted, data)

    w = [weights(n) for _ in range(4)]
    r = [weights(units) for _ in range(4)]
    biases = [
        m.tensor((units,), "int32", scale(), data=rng.integers(-4000, 4000, units).astype(np.int32))
        for _ in range(4)
    ]
    hidden_scale, hidden_zero = np.float32(1 / 128), int(rng.integers(-20, 20))
    h = m.tensor((batch, units), scale=hidden_scale, zero_point=hidden_zero, is_variable=True)
    cell_scale = 2.0 ** int(rng.integers(-16, -8))
    c = m.tensor((batch, units), "int16", cell_scale, is_variable=True)
    o = m.tensor((*steps, units), scale=hidden_scale, zero_point=hidden_zero)
    options = {
        "FusedActivationFunction": 4,
        "CellClip": float(rng.choice([0.0, 0.0, 0.37])),
        "AsymmetricQuantizeInputs": False,
        "TimeMajor": time_major,
    }
    inputs = [x, *w, *r, -1, -1, -1, *biases, -1, -1, h, c, -1, -1, -1, -1]
    m.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        [o],
        ("UnidirectionalSequenceLSTMOptions", options),
    )
    m.inputs, m.outputs = [x], [o]
