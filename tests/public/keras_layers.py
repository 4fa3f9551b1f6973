"""Models of Keras's usual layers, by name: small, odd-sized, as people write them.

Each function takes the inputs that `MODELS` gives it and returns the output or outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import layers as L
from keras import ops


@dataclass(frozen=True)
class Recipe:
    """How a model is built.

    Attributes
    ----------
    shapes : of the inputs, without the batch.
    build : from the inputs to the output or outputs.
    indices : how many values an input of indices has; 0 for real inputs.
    """

    shapes: tuple[tuple[int, ...], ...]
    build: Callable[..., Any]
    indices: int = 0


MODELS: dict[str, Recipe] = {}


def one(name: str, shape: tuple[int, ...], *steps: Any) -> None:
    """A model that is a chain of layers."""

    def build(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    MODELS[name] = Recipe((shape,), build)


def of(*shapes: tuple[int, ...], indices: int = 0) -> Callable[..., Any]:
    """Put a function of the inputs into `MODELS`, under its name."""

    def put(build: Callable[..., Any]) -> Callable[..., Any]:
        MODELS[build.__name__] = Recipe(shapes, build, indices)
        return build

    return put


def head(x: Any, classes: int = 5) -> Any:
    """Pooled, dense, softmax."""
    x = L.GlobalAveragePooling2D()(x)
    return L.Dense(classes, activation="softmax")(x)


# --- dense ----------------------------------------------------------------------------------------
one("dense_relu", (17,), L.Dense(33, "relu"), L.Dense(9))
one("dense_sigmoid", (13,), L.Dense(7, "sigmoid"), L.Dense(3, "tanh"))
one("dense_softmax", (20,), L.Dense(16, "relu"), L.Dense(11, "softmax"))
one("dense_sequence", (7, 13), L.Dense(10, "relu"), L.Dense(4))
one("dense_grid", (3, 4, 6), L.Dense(5, "relu6"))
one("dense_no_bias", (24,), L.Dense(12, use_bias=False))
one("dense_one", (1,), L.Dense(16, "relu"), L.Dense(16, "relu"), L.Dense(1))
one("dense_wide", (5000,), L.Dense(3))
one("autoencoder", (96,), L.Dense(32, "relu"), L.Dense(8, "relu"), L.Dense(32, "relu"), L.Dense(96))

# --- convolutions ---------------------------------------------------------------------------------
one("conv1d_valid", (19, 6), L.Conv1D(8, 3, activation="relu"))
one("conv1d_same_stride", (20, 5), L.Conv1D(7, 4, strides=2, padding="same"))
one("conv1d_causal_dilated", (21, 4), L.Conv1D(6, 3, padding="causal", dilation_rate=2))
one("conv1d_dilated", (24, 5), L.Conv1D(5, 3, dilation_rate=3))
one("separable1d", (18, 6), L.SeparableConv1D(9, 5, padding="same", activation="relu"))
one("depthwise1d", (18, 6), L.DepthwiseConv1D(3, padding="same"))
one("conv1d_transpose", (9, 4), L.Conv1DTranspose(6, 4, strides=2, padding="same"))
one("conv_valid", (11, 9, 3), L.Conv2D(8, 3, activation="relu"))
one("conv_same", (10, 7, 3), L.Conv2D(6, (5, 3), padding="same"))
one("conv_stride", (13, 12, 4), L.Conv2D(8, 3, strides=2, padding="same", activation="relu6"))
one("conv_stride_uneven", (12, 11, 2), L.Conv2D(5, (3, 2), strides=(3, 1), padding="valid"))
one("conv_dilated", (14, 14, 3), L.Conv2D(4, 3, dilation_rate=2, padding="same"))
one("conv_groups", (8, 8, 6), L.Conv2D(12, 3, groups=3, padding="same"))
one("conv_pointwise", (6, 5, 16), L.Conv2D(24, 1, activation="relu"))
one("conv_large_kernel", (16, 16, 1), L.Conv2D(4, 9, strides=4, padding="same", activation="tanh"))
one("depthwise", (9, 8, 6), L.DepthwiseConv2D(3, padding="same", activation="relu"))
one("depthwise_stride", (9, 10, 5), L.DepthwiseConv2D((3, 5), strides=2, padding="same"))
one("depthwise_multiplier", (7, 7, 3), L.DepthwiseConv2D(3, depth_multiplier=4))
one("depthwise_one_channel", (12, 6, 1), L.DepthwiseConv2D(3, depth_multiplier=8, strides=2))
one("depthwise_dilated", (12, 12, 4), L.DepthwiseConv2D(3, dilation_rate=2, padding="same"))
one("separable2d", (10, 10, 4), L.SeparableConv2D(8, 3, padding="same", activation="relu"))
one("conv_transpose", (5, 6, 4), L.Conv2DTranspose(6, 3, strides=2, padding="same"))
one("conv_transpose_valid", (4, 5, 3), L.Conv2DTranspose(5, 3, strides=3, activation="relu"))
one("conv_transpose_overlap", (4, 4, 3), L.Conv2DTranspose(4, 5, strides=2, use_bias=False))

# --- pooling, padding, resizing -------------------------------------------------------------------
one("max_pool", (9, 8, 5), L.MaxPooling2D(2))
one("max_pool_same", (9, 9, 5), L.MaxPooling2D(3, strides=2, padding="same"))
one("average_pool", (8, 8, 6), L.AveragePooling2D(2))
one("average_pool_same", (7, 9, 6), L.AveragePooling2D(3, strides=2, padding="same"))
one("max_pool1d", (15, 4), L.MaxPooling1D(3))
one("average_pool1d", (15, 4), L.AveragePooling1D(2, padding="same"))
one("global_average_pool", (7, 5, 12), L.GlobalAveragePooling2D())
one("global_average_pool1d", (11, 9), L.GlobalAveragePooling1D())
one("global_max_pool", (7, 5, 12), L.GlobalMaxPooling2D(keepdims=True))
one("global_max_pool1d", (11, 9), L.GlobalMaxPooling1D())
one("up_sampling", (4, 5, 3), L.UpSampling2D(2))
one("up_sampling_uneven", (3, 4, 5), L.UpSampling2D((3, 2)))
one("up_sampling1d", (6, 5), L.UpSampling1D(2))
one("up_sampling_bilinear", (4, 4, 3), L.UpSampling2D(2, interpolation="bilinear"))
one("zero_padding", (5, 6, 3), L.ZeroPadding2D(((1, 2), (0, 3))))
one("zero_padding1d", (7, 4), L.ZeroPadding1D(2))
one("cropping", (8, 9, 3), L.Cropping2D(((1, 2), (3, 1))))
one("cropping1d", (9, 4), L.Cropping1D((2, 1)))
one("pad_constant", (5, 6), lambda x: ops.pad(x, ((0, 0), (1, 1), (2, 0)), constant_values=0.5))
one("pad_reflect", (6, 7), lambda x: ops.pad(x, ((0, 0), (2, 1), (1, 3)), mode="reflect"))
one("pad_symmetric", (6, 7), lambda x: ops.pad(x, ((0, 0), (2, 1), (1, 3)), mode="symmetric"))

# --- activations ----------------------------------------------------------------------------------
for _name in ("relu", "relu6", "elu", "selu", "sigmoid", "tanh", "softplus", "softsign", "gelu"):
    one(f"act_{_name}", (6, 9), L.Activation(_name))
for _name in ("silu", "hard_sigmoid", "hard_swish", "exponential", "mish", "log_softmax"):
    one(f"act_{_name}", (6, 9), L.Activation(_name))
one("act_softmax_grid", (3, 4, 5), L.Softmax())
one("act_softmax_axis", (6, 5), L.Softmax(axis=1))
one("act_leaky_relu", (6, 9), L.LeakyReLU(0.1))
one("act_prelu", (5, 4, 6), L.PReLU("uniform", shared_axes=[1, 2]))
one("act_prelu_full", (5, 6), L.PReLU("uniform"))
one("act_relu_max", (6, 9), L.ReLU(max_value=1.5))
one("act_thresholded", (6, 9), L.ReLU(negative_slope=0.2, threshold=0.0))

# --- normalisation --------------------------------------------------------------------------------
one("batch_norm_first", (6, 5, 4), L.BatchNormalization(), L.Conv2D(4, 3))
one("batch_norm_after", (6, 5, 4), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU())
one("batch_norm_alone", (11,), L.BatchNormalization())
one("layer_norm", (5, 12), L.LayerNormalization())
one("layer_norm_grid", (4, 4, 6), L.LayerNormalization(axis=[1, 2, 3]))
one("group_norm", (4, 4, 8), L.GroupNormalization(2))
one("rms_norm", (5, 12), L.RMSNormalization())
one("unit_norm", (5, 12), L.UnitNormalization())

# --- elements -------------------------------------------------------------------------------------
one("repeat_vector", (6,), L.RepeatVector(4))
one("permute", (3, 4, 5), L.Permute((3, 1, 2)))
one("reshape", (6, 8), L.Reshape((4, 3, 4)), L.Conv2D(3, 1), L.Reshape((-1, 6)))
one("flatten_odd", (3, 5, 7), L.Flatten(), L.Dense(4))
one("rescaling", (6, 5, 3), L.Rescaling(1 / 3.0, -0.5), L.Conv2D(2, 3))
one("abs_clip", (7, 5), ops.absolute, lambda x: ops.clip(x, 0.2, 1.2))
one("square_sqrt", (7, 5), lambda x: ops.sqrt(ops.square(x) + 0.25))
one("exp_log", (7, 5), lambda x: ops.log(ops.exp(x) + 1.5))
one("reverse", (7, 5), lambda x: ops.flip(x, 1))
one("slice_strided", (11, 6), lambda x: x[:, 1:9:3, ::2])
one("slice_last", (11, 6), L.Dense(5), lambda x: x[:, -1, :])
one("split_parts", (4, 12), lambda x: ops.concatenate(ops.split(x, 3, axis=-1)[::-1], axis=1))
one("split_uneven", (4, 12), lambda x: ops.split(x, [2, 7], axis=-1)[1])
one("stack_parts", (3, 6), lambda x: ops.stack(ops.unstack(x, axis=1), axis=2))
one("tile", (3, 4), lambda x: ops.tile(x, (1, 2, 3)))
one("take", (9, 4), lambda x: ops.take(x, [7, 0, 0, 3], axis=1))
one("reduce_sum", (5, 6, 7), lambda x: ops.sum(x, axis=(1, 3)))
one("reduce_max_min", (5, 6, 7), lambda x: ops.max(x, axis=2) - ops.min(x, axis=2))
one("reduce_mean_last", (5, 6, 7), lambda x: ops.mean(x, axis=-1, keepdims=True))
one("expand_squeeze", (5, 6), lambda x: ops.squeeze(ops.expand_dims(x, 2) * 2.0, 2))
one("cumsum", (5, 6), lambda x: ops.cumsum(x, axis=1))
one("top_k", (9,), lambda x: ops.top_k(x, 3)[0])


@of((8, 6), (8, 6))
def arithmetic(a: Any, b: Any) -> Any:
    return L.Average()([L.Add()([a, b]), L.Subtract()([a, b]), L.Multiply()([a, b])])


@of((8, 6), (8, 6))
def extremes(a: Any, b: Any) -> Any:
    return L.Concatenate()([L.Maximum()([a, b]), L.Minimum()([a, b])])


@of((4, 5, 6), (1, 1, 6), (5, 1))
def broadcast(a: Any, b: Any, c: Any) -> Any:
    return (a * b + c) - b


@of((5, 6))
def argmax(x: Any) -> Any:
    from tensorflow import argmax as largest

    y = L.Lambda(lambda y: largest(y, -1, "int32"), output_shape=(5,), dtype="int32")
    return [y(L.Dense(7)(x)), L.Dense(2)(x)]


@of((4, 5, 3))
def resize_nearest(x: Any) -> Any:
    from tensorflow import image

    return L.Lambda(lambda y: image.resize(y, (8, 15), "nearest"), output_shape=(8, 15, 3))(x)


@of((9,), indices=20)
def gather(x: Any) -> Any:
    import numpy as np
    from tensorflow import constant
    from tensorflow import gather as take

    table = np.random.default_rng(3).standard_normal((20, 6)).astype("float32")
    y = L.Lambda(lambda y: take(constant(table), y), output_shape=(9, 6))(x)
    return L.Dense(4, "relu")(y)


@of((7, 5), (7, 5))
def squared_difference(a: Any, b: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(a - b), axis=-1))


@of((4, 6), (6, 5))
def matrices(a: Any, b: Any) -> Any:
    return ops.matmul(a, b)


@of((5, 6), (7, 6))
def dot_axes(a: Any, b: Any) -> Any:
    return L.Dot(axes=2)([a, b])


@of((6,), (4,))
def two_outputs(a: Any, b: Any) -> Any:
    x = L.Dense(8, "relu")(L.Concatenate()([a, b]))
    return [L.Dense(3, "softmax")(x), L.Dense(1)(x)]


@of((6, 4), (3, 4))
def concatenate_axis(a: Any, b: Any) -> Any:
    return L.Conv1D(3, 2)(L.Concatenate(axis=1)([a, b]))
