"""Random TFLite models of one operator with windows."""

from typing import Any

import numpy as np

from tests.tflite_builder import ModelSpec

SAME, VALID = 0, 1


def nibbles(values: np.ndarray) -> np.ndarray:
    """Elements of -8 to 7 as TFLite stores int4: two a byte, the first in the lower half."""
    flat = np.append(values.reshape(-1), np.zeros(values.size % 2, np.int8)).view(np.uint8) & 0xF
    return flat[::2] | flat[1::2] << 4


class WindowMaker:
    """Random numbers for windows: mostly small, every corner now and then."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.model = ModelSpec()

    def scale(self, lo: float = 0.004, hi: float = 0.2) -> np.float32:
        return np.float32(np.exp(self.rng.uniform(np.log(lo), np.log(hi))))

    def zero_point(self) -> int:
        return int(self.rng.choice([-128, 127, 0, *self.rng.integers(-128, 128, 3)]))

    def small(self, most: int) -> int:
        """1 to `most`, the smaller the likelier."""
        return int(min(self.rng.integers(1, most + 1, 2)))

    def image(self, shape: tuple[int, ...], scale: np.float32 | None = None) -> int:
        scale = self.scale() if scale is None else scale
        return self.model.tensor(shape, scale=scale, zero_point=self.zero_point())

    def filters(self, shape: tuple[int, ...], axis: int, int4: bool = False) -> tuple[int, int]:
        """Weights and bias, -1 for none; one scale or many, sometimes a zero point to ignore."""
        rng = self.rng
        rows = shape[axis]
        weights = rng.integers(-128, 128, shape).astype(np.int8)
        weights[rng.random(shape) < rng.choice([0.0, 0.5, 0.9])] = 0
        if int4:
            weights >>= 4
        scales = [self.scale() for _ in range(rows if rng.integers(2) else 1)]
        zero = self.zero_point() if rng.random() < 0.1 else 0
        dtype = "int4" if int4 else "int8"
        data = nibbles(weights) if int4 else weights
        index = self.model.tensor(shape, dtype, scales, zero, data, axis=axis)
        size = int(rng.choice([3000, 3000, 2**31 - 1]))
        bias = rng.integers(-size, size, rows).astype(np.int32)
        bias_index = self.model.tensor((rows,), "int32", scales, data=bias)
        return index, -1 if rng.random() < 0.25 else bias_index

    def positions(
        self, image: tuple[int, int], span: tuple[int, int], stride: tuple[int, int], padding: int
    ) -> tuple[int, ...]:
        """How many windows there are; at least one each way."""
        if padding == SAME:
            return tuple(-(-n // step) for n, step in zip(image, stride, strict=True))
        return tuple(
            (n - taps) // step + 1 for n, taps, step in zip(image, span, stride, strict=True)
        )


def random_window_model(kind: str, rng: np.random.Generator) -> ModelSpec:
    """One operator with random geometry, scales, zero points, weights and fused activation."""
    maker = WindowMaker(rng)
    {
        "CONV_2D": _convolution,
        "DEPTHWISE_CONV_2D": _convolution,
        "TRANSPOSE_CONV": _transpose,
        "AVERAGE_POOL_2D": _pool,
        "MAX_POOL_2D": _pool,
    }[kind](maker, kind)
    return maker.model


def _geometry(maker: WindowMaker, kind: str) -> tuple[Any, Any, Any, Any, int, tuple[int, ...]]:
    """Image, taps, stride, dilation, padding and positions of windows."""
    rng = maker.rng
    size = (maker.small(5), maker.small(5))
    stride = (maker.small(3), maker.small(3))
    dilation = (maker.small(3), maker.small(3)) if "CONV" in kind else (1, 1)
    span = tuple((n - 1) * d + 1 for n, d in zip(size, dilation, strict=True))
    padding = int(rng.integers(2))
    least = span if padding == VALID else (1, 1)
    image = tuple(n + maker.small(9) - 1 for n in least)
    return image, size, stride, dilation, padding, maker.positions(image, span, stride, padding)


def _options(padding: int, stride: tuple[int, int], activation: int) -> dict[str, Any]:
    return {
        "Padding": padding,
        "StrideH": stride[0],
        "StrideW": stride[1],
        "FusedActivationFunction": activation,
    }


def _convolution(maker: WindowMaker, kind: str) -> None:
    m, rng = maker.model, maker.rng
    image, size, stride, dilation, padding, positions = _geometry(maker, kind)
    batch, depth, groups = maker.small(2), maker.small(12), 1
    int4 = rng.random() < 0.2
    options = _options(padding, stride, int(rng.integers(4)))
    options |= {"DilationHFactor": dilation[0], "DilationWFactor": dilation[1]}
    if kind == "CONV_2D":
        groups = int(rng.choice([1, 1, 2, 3]))
        filters = groups * maker.small(12)
        weights, bias = maker.filters((filters, *size, depth), 0, int4)
    else:
        multiplier = int(rng.choice([1, 1, 2, 3]))
        filters = depth * multiplier
        options["DepthMultiplier"] = multiplier
        weights, bias = maker.filters((1, *size, filters), 3, int4)
    x = maker.image((batch, *image, depth * groups))
    o = maker.image((batch, *positions, filters), maker.scale(0.02, 5.0))
    # TFLM crashes on a depthwise convolution whose bias is absent, but listed.
    listed = bias >= 0 or (kind == "CONV_2D" and rng.integers(2) == 1)
    inputs = [x, weights, bias] if listed else [x, weights]
    name = {"CONV_2D": "Conv2DOptions"}.get(kind, "DepthwiseConv2DOptions")
    m.operator(kind, inputs, [o], (name, options))
    m.inputs, m.outputs = [x], [o]


def _transpose(maker: WindowMaker, kind: str) -> None:
    m, rng = maker.model, maker.rng
    image, size, stride, _, padding, positions = _geometry(maker, "TRANSPOSE")
    batch, depth, filters = maker.small(2), maker.small(12), maker.small(8)
    weights, bias = maker.filters((filters, *size, depth), 0)
    shape = np.array([batch, *image, filters], np.int32)
    shape_index = m.tensor((4,), "int32", data=shape)
    x = maker.image((batch, *positions, depth))
    o = maker.image((batch, *image, filters), maker.scale(0.02, 5.0))
    inputs = [shape_index, weights, x] + ([] if bias < 0 and rng.integers(2) else [bias])
    options = _options(padding, stride, int(rng.integers(4)))
    m.operator(kind, inputs, [o], ("TransposeConvOptions", options))
    m.inputs, m.outputs = [x], [o]


def _pool(maker: WindowMaker, kind: str) -> None:
    m, rng = maker.model, maker.rng
    image, size, stride, _, padding, positions = _geometry(maker, kind)
    batch, depth = maker.small(2), maker.small(12)
    x = maker.image((batch, *image, depth))
    o = m.tensor(
        (batch, *positions, depth),
        scale=m.tensors[x].scale,
        zero_point=m.tensors[x].zero_point,
    )
    options = _options(padding, stride, int(rng.integers(4)))
    options |= {"FilterHeight": size[0], "FilterWidth": size[1]}
    m.operator(kind, [x], [o], ("Pool2DOptions", options))
    m.inputs, m.outputs = [x], [o]


def chained_windows(rng: np.random.Generator) -> ModelSpec:
    """Every kind with windows, one behind the other, on an image of 11 x 13 with 4 channels."""
    maker = WindowMaker(rng)
    m = maker.model

    def image(shape: tuple[int, ...], like: int | None = None) -> int:
        if like is None:
            return m.tensor(shape, scale=maker.scale(0.05, 0.2), zero_point=maker.zero_point())
        return m.tensor(shape, scale=m.tensors[like].scale, zero_point=m.tensors[like].zero_point)

    def filters(shape: tuple[int, ...], axis: int) -> list[int]:
        weights = rng.integers(-127, 128, shape).astype(np.int8)
        weights[rng.random(shape) < 0.5] = 0
        scales = [maker.scale(0.002, 0.01) for _ in range(shape[axis])]
        bias = rng.integers(-2000, 2000, shape[axis]).astype(np.int32)
        return [
            m.tensor(shape, scale=scales, data=weights, axis=axis),
            m.tensor(bias.shape, "int32", scales, data=bias),
        ]

    x = image((1, 11, 13, 4))
    a = image((1, 6, 7, 8))
    options = _options(SAME, (2, 2), 1) | {"DilationHFactor": 1, "DilationWFactor": 1}
    m.operator("CONV_2D", [x, *filters((8, 3, 3, 2), 0)], [a], ("Conv2DOptions", options))
    b = image((1, 6, 7, 16))
    options = _options(SAME, (1, 1), 3) | {"DilationHFactor": 2, "DilationWFactor": 3}
    options["DepthMultiplier"] = 2
    depthwise = filters((1, 3, 2, 16), 3)
    m.operator("DEPTHWISE_CONV_2D", [a, *depthwise], [b], ("DepthwiseConv2DOptions", options))
    c = image((1, 3, 4, 16), b)
    options = _options(SAME, (2, 2), 0) | {"FilterHeight": 2, "FilterWidth": 3}
    m.operator("AVERAGE_POOL_2D", [b], [c], ("Pool2DOptions", options))
    d = image((1, 2, 4, 16), c)
    options = _options(VALID, (1, 1), 2) | {"FilterHeight": 2, "FilterWidth": 1}
    m.operator("MAX_POOL_2D", [c], [d], ("Pool2DOptions", options))
    e = image((1, 5, 9, 9))
    shape = m.tensor((4,), "int32", data=np.array([1, 5, 9, 9], np.int32))
    weights, bias = filters((9, 3, 3, 16), 0)
    options = _options(VALID, (2, 2), 0)
    inputs = [shape, weights, d, bias]
    m.operator("TRANSPOSE_CONV", inputs, [e], ("TransposeConvOptions", options))
    m.inputs, m.outputs = [x], [e]
    return m
