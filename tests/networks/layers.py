"""Operators that suit a tensor: each function grows a model by one, behind a tensor it reads.

A function returns False where its operator does not suit the tensor, and grows nothing then.
"""

import math
from collections.abc import Callable

import numpy as np

from tests.networks.grow import MOST_ELEMENTS, Grower
from tests.tflite_math import FUSED

SAME, VALID = 0, 1
FUNCTIONS = (
    "ABS",
    "ELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "TANH",
)


def function(g: Grower, x: int) -> bool:
    """Element by element."""
    kind = g.pick(FUNCTIONS)
    source = g.spec(x)
    fixed = {"TANH": (1 / 128, 0), "LOGISTIC": (1 / 256, -128)}
    if kind == "RELU6":
        fixed["RELU6"] = (source.scale, source.zero_point)
    scale, zero_point = fixed.get(kind, (g.scale(source.scale), g.zero_point()))
    y = g.new(source.shape, scale, zero_point)
    options = None
    if kind == "LEAKY_RELU":
        options = ("LeakyReluOptions", {"Alpha": float(g.pick([0.01, 0.3, 1.0, -0.4, 2.5]))})
    if kind == "QUANTIZE":
        options = ("QuantizeOptions", {})
    g.operator(kind, [x], [y], options)
    return True


def binary(g: Grower, x: int) -> bool:
    """With an older tensor that fits, a part of a constant, or with itself."""
    kind = g.pick([*FUSED, *FUSED, "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU"])
    shape = g.shape(x)
    fitting = [i for i in g.live if i != x and _fits(g.shape(i), shape)]
    if fitting and g.chance(0.8):
        other = int(g.pick(fitting))
    elif g.chance(0.1) or 0 in shape:
        other = x
    else:
        part = tuple(int(g.pick([n, n, 1])) for n in shape)
        other = g.constant(part[int(g.rng.integers(len(part) + 1)) :] if g.chance(0.3) else part)
    operands = [x, other] if g.chance(0.5) or kind == "PRELU" else [other, x]
    y = g.new(np.broadcast_shapes(*(g.shape(i) for i in operands)), g.scale(g.spec(x).scale))
    options = None
    if kind in FUSED:
        options = (FUSED[kind], {"FusedActivationFunction": int(g.pick([0, 0, 1, 3]))})
    g.operator(kind, operands, [y], options)
    return True


def _fits(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    if a == b:
        return True
    try:
        return max(len(a), len(b)) <= 5 and math.prod(np.broadcast_shapes(a, b)) <= MOST_ELEMENTS
    except ValueError:
        return False


def fully_connected(g: Grower, x: int) -> bool:
    """On the last dimension; a skip of the bias, a scale per row, mostly zeros."""
    shape = g.shape(x)
    if not shape or len(shape) > 4:
        return False
    rows, columns = g.number(1, 24), shape[-1]
    used = [op.inputs[1] for op in g.model.operators if op.kind == "FULLY_CONNECTED"]
    used = [i for i in used if g.spec(i).dtype == "int8" and g.spec(i).data is not None]
    fitting = [i for i in used if g.shape(i)[1] == columns]
    if fitting and g.chance(0.2):
        weights = int(g.pick(fitting))
        rows, scales = g.shape(weights)[0], np.atleast_1d(g.spec(weights).scale)
    else:
        weights, scales = _weights(g, (rows, columns), 0)
    bias = g.pick([_bias(g, rows, g.spec(x).scale * scales), -1])
    y = g.new((*shape[:-1], rows), g.scale(0.5))
    options = {"FusedActivationFunction": g.number(0, 3), "KeepNumDims": len(shape) > 2}
    g.operator("FULLY_CONNECTED", [x, weights, bias], [y], ("FullyConnectedOptions", options))
    return True


def _weights(g: Grower, shape: tuple[int, ...], axis: int) -> tuple[int, np.ndarray]:
    rows = shape[axis]
    data = g.rng.integers(-127, 128, shape).astype(np.int8)
    data[g.rng.random(shape) < g.pick([0.0, 0.5, 0.9, 1.0])] = 0
    count = rows if g.chance(0.5) else 1
    scales = np.array([g.scale(0.01) for _ in range(count)], np.float32)
    return g.model.tensor(shape, "int8", scales, 0, data, axis=axis), scales


def _bias(g: Grower, rows: int, scales: np.ndarray) -> int:
    most = int(g.pick([3000, 3000, 2**31 - 1]))
    data = g.rng.integers(-most, most, rows).astype(np.int32)
    return g.model.tensor((rows,), "int32", np.asarray(scales, np.float32), data=data)


def convolution(g: Grower, x: int) -> bool:
    """CONV_2D with groups, or DEPTHWISE_CONV_2D with a multiplier; strides and dilation."""
    if len(g.shape(x)) != 4:
        return False
    batch, height, width, depth = g.shape(x)
    depthwise = g.chance(0.5)
    windows = [_window(g, n, g.number(1, 3)) for n in (height, width)]
    padding = (
        SAME if any(taps > n for taps, n in zip(*_spans(windows), strict=True)) else g.number(0, 1)
    )
    (kh, sh, dh, _), (kw, sw, dw, _) = windows
    options = {"Padding": padding, "StrideH": sh, "StrideW": sw}
    options |= {"DilationHFactor": dh, "DilationWFactor": dw}
    options["FusedActivationFunction"] = g.number(0, 3)
    if depthwise:
        multiplier = g.number(1, 3)
        rows = depth * multiplier
        options["DepthMultiplier"] = multiplier
        weights, scales = _weights(g, (1, kh, kw, rows), 3)
    else:
        groups = int(g.pick([n for n in range(1, depth + 1) if depth % n == 0]))
        rows = groups * g.number(1, 6)
        weights, scales = _weights(g, (rows, kh, kw, depth // groups), 0)
    sizes = [_positions(n, k, s, d, padding) for k, s, d, n in windows]
    if batch * math.prod(sizes) * rows > MOST_ELEMENTS:
        return False
    bias = _bias(g, rows, g.spec(x).scale * scales)
    y = g.new((batch, *sizes, rows), g.scale(0.5))
    kind, name = ("DEPTHWISE_CONV_2D", "Depthwise") if depthwise else ("CONV_2D", "")
    g.operator(kind, [x, weights, bias], [y], (f"{name}Conv2DOptions", options))
    return True


def _window(g: Grower, n: int, dilation: int) -> tuple[int, int, int, int]:
    """Taps, stride, dilation and the size of the image."""
    return g.number(1, 4), g.number(1, 3), dilation, n


def _spans(windows: list[tuple[int, int, int, int]]) -> tuple[list[int], list[int]]:
    return [(k - 1) * d + 1 for k, _, d, _ in windows], [n for *_, n in windows]


def _positions(n: int, taps: int, stride: int, dilation: int, padding: int) -> int:
    return -(-n // stride) if padding == SAME else (n - (taps - 1) * dilation - 1) // stride + 1


def pool(g: Grower, x: int) -> bool:
    """AVERAGE_POOL_2D or MAX_POOL_2D."""
    if len(g.shape(x)) != 4:
        return False
    batch, height, width, depth = g.shape(x)
    windows = [_window(g, n, 1) for n in (height, width)]
    padding = (
        SAME if any(taps > n for taps, n in zip(*_spans(windows), strict=True)) else g.number(0, 1)
    )
    options = {"Padding": padding, "FusedActivationFunction": g.number(0, 3)}
    for axis, (taps, stride, _, _) in zip("HW", windows, strict=True):
        options[f"Stride{axis}"] = stride
        options["FilterHeight" if axis == "H" else "FilterWidth"] = taps
    sizes = [_positions(n, k, s, 1, padding) for k, s, _, n in windows]
    y = g.like(x, (batch, *sizes, depth))
    g.operator(
        str(g.pick(["AVERAGE_POOL_2D", "MAX_POOL_2D"])), [x], [y], ("Pool2DOptions", options)
    )
    return True


def rows(g: Grower, x: int) -> bool:
    """A normalisation of every row."""
    if not g.shape(x) or len(g.shape(x)) > 4:
        return False
    kind, scale, zero_point, options = g.pick(
        [
            ("SOFTMAX", 1 / 256, -128, ("SoftmaxOptions", {"Beta": float(g.pick([1.0, 0.3]))})),
            ("LOG_SOFTMAX", 1 / 16, 127, None),
            ("L2_NORMALIZATION", 1 / 128, 0, ("L2NormOptions", {})),
        ]
    )
    y = g.new(g.shape(x), scale, zero_point)
    g.operator(kind, [x], [y], options)
    return True


def reduction(g: Grower, x: int) -> bool:
    """Along some axes, kept or not."""
    shape = g.shape(x)
    if not shape:
        return False
    kind = str(g.pick(["MEAN", "MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"]))
    axes = [a for a in range(len(shape)) if g.chance(0.4)] or [len(shape) - 1]
    keep = g.chance(0.6)
    kept = [1 if a in axes else n for a, n in enumerate(shape)]
    output = tuple(kept if keep else [n for a, n in enumerate(shape) if a not in axes])
    y = g.like(x, output) if "REDUCE" in kind else g.new(output, g.scale(g.spec(x).scale))
    told = g.numbers([a - len(shape) * g.number(0, 1) for a in axes])
    g.operator(kind, [x, told], [y], ("ReducerOptions", {"KeepDims": keep}))
    return True


def matmul(g: Grower, x: int) -> bool:
    """A tensor with its own transpose, or with another of its shape: an attention map."""
    shape = g.shape(x)
    if not 2 <= len(shape) <= 4 or 0 in shape:
        return False
    if g.size(x) // shape[-1] * shape[-2] > MOST_ELEMENTS:
        return False
    other = int(g.pick([i for i in g.live if g.shape(i) == shape]))
    y = g.new((*shape[:-1], shape[-2]), g.scale(0.5))
    g.operator("BATCH_MATMUL", [x, other], [y], ("BatchMatMulOptions", {"AdjY": True}))
    return True


def concatenation(g: Grower, x: int) -> bool:
    """Tensors that fit along an axis; their quantisations brought to one before."""
    shape = g.shape(x)
    if not shape:
        return False
    axis = int(g.rng.integers(len(shape)))

    def rest(index: int) -> tuple[int, ...]:
        other = g.shape(index)
        return other[:axis] + other[axis + 1 :] if len(other) == len(shape) else (-1,)

    parts = [x, *[i for i in g.live if rest(i) == rest(x) and g.chance(0.4)][:4]]
    total = sum(g.shape(i)[axis] for i in parts)
    if total * g.size(x) > MOST_ELEMENTS * shape[axis] or len(parts) < 2:
        return False
    parts = [requantised(g, i, x) for i in parts]
    y = g.like(x, (*shape[:axis], total, *shape[axis + 1 :]))
    options = {"Axis": axis - len(shape) * g.number(0, 1)}
    g.operator("CONCATENATION", parts, [y], ("ConcatenationOptions", options))
    return True


def requantised(g: Grower, index: int, like: int) -> int:
    """A tensor with the quantisation of another, through a QUANTIZE where it has one of its own."""
    a, b = g.spec(index), g.spec(like)
    if (a.scale, a.zero_point) == (b.scale, b.zero_point):
        return index
    y = g.like(like, a.shape)
    g.operator("QUANTIZE", [index], [y], ("QuantizeOptions", {}))
    return y


def search(g: Grower, x: int) -> bool:
    """Where the most or the least is: numbers that leave the model."""
    shape = g.shape(x)
    if not shape:
        return False
    kind = str(g.pick(["ARG_MAX", "ARG_MIN"]))
    axis = int(g.rng.integers(len(shape)))
    y = g.model.tensor((*shape[:axis], *shape[axis + 1 :]), "int32")
    name = "ArgMaxOptions" if kind == "ARG_MAX" else "ArgMinOptions"
    g.operator(kind, [x, g.numbers([axis])], [y], (name, {"OutputType": 2}))
    g.leaves[y] = None
    return True


LAYERS: list[tuple[Callable[[Grower, int], bool], int]] = [
    (function, 4),
    (binary, 5),
    (fully_connected, 4),
    (convolution, 8),
    (pool, 3),
    (rows, 1),
    (reduction, 2),
    (matmul, 1),
    (concatenation, 3),
    (search, 1),
]
"""With how often each is taken, beside the others."""
