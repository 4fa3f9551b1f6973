"""Small networks of the usual families, in Keras: filled into `MODELS` beside the single layers."""

from typing import Any

from keras import layers as L
from keras import ops

from tests.public.keras_layers import MODELS, head, of, one

# --- recurrent ------------------------------------------------------------------------------------
one("lstm", (6, 7), L.LSTM(9, return_sequences=True, unroll=True), L.Dense(4))
one("lstm_last", (5, 7), L.LSTM(8, unroll=True), L.Dense(4, "softmax"))
one("lstm_two", (4, 6), L.LSTM(7, return_sequences=True, unroll=True), L.LSTM(5, unroll=True))
one("gru", (5, 6), L.GRU(8, return_sequences=True, unroll=True))
one("gru_last", (5, 6), L.GRU(8, unroll=True, reset_after=False), L.Dense(3))
one("simple_rnn", (5, 6), L.SimpleRNN(7, unroll=True), L.Dense(3))
one("bilstm", (4, 6), L.Bidirectional(L.LSTM(5, return_sequences=True, unroll=True)))
one("bigru_last", (4, 6), L.Bidirectional(L.GRU(5, unroll=True), merge_mode="sum"))
one("time_distributed", (4, 6, 5, 2), L.TimeDistributed(L.Conv2D(3, 3, activation="relu")))


# --- convolutional --------------------------------------------------------------------------------
@of((12, 12, 3))
def residual(x: Any) -> Any:
    x = L.Conv2D(8, 3, padding="same", activation="relu")(x)
    for filters, stride in ((8, 1), (16, 2)):
        y = L.Conv2D(filters, 3, strides=stride, padding="same")(x)
        y = L.ReLU()(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same")(y))
        if stride > 1:
            x = L.Conv2D(filters, 1, strides=stride, padding="same")(x)
        x = L.ReLU()(L.Add()([x, y]))
    return head(x)


@of((16, 16, 3))
def inverted_residual(x: Any) -> Any:
    x = L.Conv2D(8, 3, strides=2, padding="same")(x)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    for stride in (1, 2):
        y = L.ReLU(6.0)(L.BatchNormalization()(L.Conv2D(24, 1)(x)))
        if stride > 1:
            y = L.ZeroPadding2D(((0, 1), (0, 1)))(y)
        y = L.DepthwiseConv2D(3, strides=stride, padding="same" if stride == 1 else "valid")(y)
        y = L.ReLU(6.0)(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(8, 1)(y))
        x = L.Add()([x, y]) if stride == 1 else y
    return head(x)


@of((12, 12, 8))
def squeeze_excite(x: Any) -> Any:
    x = L.Activation("hard_swish")(L.DepthwiseConv2D(3, padding="same")(x))
    s = L.GlobalAveragePooling2D(keepdims=True)(x)
    s = L.Conv2D(2, 1, activation="relu")(s)
    s = L.Conv2D(8, 1, activation="hard_sigmoid")(s)
    return head(L.Multiply()([x, s]))


@of((12, 12, 8))
def squeeze_excite_dense(x: Any) -> Any:
    s = L.Dense(2, "relu")(L.GlobalAveragePooling2D()(x))
    s = L.Reshape((1, 1, 8))(L.Dense(8, "sigmoid")(s))
    return head(L.Multiply()([x, s]))


@of((25, 5, 1))
def ds_cnn(x: Any) -> Any:
    x = L.Conv2D(16, (10, 4), strides=2, padding="same", activation="relu")(x)
    for _ in range(2):
        x = L.DepthwiseConv2D(3, padding="same", activation="relu")(x)
        x = L.Conv2D(16, 1, activation="relu")(x)
    x = L.AveragePooling2D((13, 3))(L.Dropout(0.3)(x))
    return L.Dense(12, "softmax")(L.Flatten()(x))


@of((8, 8, 4))
def dense_block(x: Any) -> Any:
    for _ in range(3):
        y = L.Conv2D(4, 3, padding="same")(L.ReLU()(L.BatchNormalization()(x)))
        x = L.Concatenate()([x, y])
    return head(L.AveragePooling2D(2)(L.Conv2D(8, 1)(x)))


@of((9, 9, 6))
def inception(x: Any) -> Any:
    a = L.Conv2D(4, 1, activation="relu")(x)
    b = L.Conv2D(5, 3, padding="same", activation="relu")(L.Conv2D(3, 1, activation="relu")(x))
    c = L.Conv2D(3, 1, activation="relu")(L.MaxPooling2D(3, strides=1, padding="same")(x))
    return head(L.Concatenate()([a, b, c]))


@of((16, 16, 1))
def unet(x: Any) -> Any:
    a = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPooling2D(2)(a))
    c = L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPooling2D(2)(b))
    b = L.Concatenate()([L.UpSampling2D(2)(c), b])
    b = L.Conv2D(8, 3, padding="same", activation="relu")(b)
    a = L.Concatenate()([L.Conv2DTranspose(4, 2, strides=2)(b), a])
    return L.Conv2D(1, 1, activation="sigmoid")(a)


@of((32, 6))
def tcn(x: Any) -> Any:
    x = L.Conv1D(8, 1)(x)
    for rate in (1, 2, 4):
        y = L.Conv1D(8, 3, padding="causal", dilation_rate=rate, activation="relu")(x)
        x = L.Add()([x, L.Conv1D(8, 1)(y)])
    return L.Dense(4, "softmax")(L.GlobalAveragePooling1D()(x))


@of((6, 6, 8))
def channel_shuffle(x: Any) -> Any:
    x = L.Conv2D(8, 1, groups=2)(x)
    x = L.Permute((1, 2, 4, 3))(L.Reshape((6, 6, 2, 4))(x))
    return L.DepthwiseConv2D(3)(L.Reshape((6, 6, 8))(x))


@of((6, 7, 3))
def super_resolution(x: Any) -> Any:
    from tensorflow import nn

    y = L.Conv2D(12, 3, padding="same", activation="relu")(x)
    return L.Lambda(lambda y: nn.depth_to_space(y, 2), output_shape=(12, 14, 3))(y)


@of((8, 8, 3))
def patches(x: Any) -> Any:
    from tensorflow import nn

    y = L.Lambda(lambda y: nn.space_to_depth(y, 2), output_shape=(4, 4, 12))(x)
    return L.Conv2D(6, 1, activation="relu")(y)


@of((12, 12, 3))
def early_exits(x: Any) -> Any:
    x = L.Conv2D(6, 3, activation="relu")(x)
    return [head(x), head(L.Conv2D(8, 3, strides=2, activation="relu")(x))]


@of((14, 10, 1))
def crnn(x: Any) -> Any:
    x = L.Conv2D(6, 3, padding="same", activation="relu")(x)
    x = L.MaxPooling2D((2, 2))(x)
    x = L.Reshape((7, 30))(x)
    return L.Dense(5, "softmax")(L.LSTM(8, return_sequences=True, unroll=True)(x))


# --- attention ------------------------------------------------------------------------------------
@of((6, 8))
def multi_head(x: Any) -> Any:
    return L.MultiHeadAttention(2, 4)(x, x)


@of((6, 8), (5, 8))
def cross_attention(x: Any, y: Any) -> Any:
    return L.MultiHeadAttention(2, 4, value_dim=3)(x, y)


@of((6, 8))
def dot_attention(x: Any) -> Any:
    return L.Attention(use_scale=True)([L.Dense(8)(x), L.Dense(8)(x)])


@of((5, 6))
def additive_attention(x: Any) -> Any:
    return L.AdditiveAttention()([L.Dense(6)(x), x])


@of((6, 8))
def transformer(x: Any) -> Any:
    x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 4)(x, x)]))
    y = L.Dense(8)(L.Dense(16, "relu")(x))
    x = L.LayerNormalization()(L.Add()([x, y]))
    return L.Dense(3, "softmax")(L.GlobalAveragePooling1D()(x))


@of((8, 8, 3))
def vision_transformer(x: Any) -> Any:
    x = L.Reshape((16, 8))(L.Conv2D(8, 2, strides=2)(x))
    x = x + L.Embedding(16, 8)(ops.arange(16))
    y = L.LayerNormalization()(x)
    x = x + L.MultiHeadAttention(2, 4)(y, y)
    x = x + L.Dense(8)(L.Dense(12, "gelu")(L.LayerNormalization()(x)))
    return L.Dense(4)(x[:, 0])


@of((10, 6))
def attention_pooling(x: Any) -> Any:
    weights = L.Softmax(axis=1)(L.Dense(1, "tanh")(x))
    return L.Dense(3)(ops.sum(x * weights, axis=1))


@of((10, 6))
def gated(x: Any) -> Any:
    y = L.Dense(12)(x)
    a, b = ops.split(y, 2, axis=-1)
    return L.Dense(6)(a * ops.sigmoid(b)) + x


# --- text -----------------------------------------------------------------------------------------
@of((9,), indices=40)
def embedding_mean(x: Any) -> Any:
    return L.Dense(3, "softmax")(L.GlobalAveragePooling1D()(L.Embedding(40, 8)(x)))


@of((9,), indices=40)
def embedding_conv(x: Any) -> Any:
    x = L.Conv1D(6, 3, activation="relu")(L.Embedding(40, 8)(x))
    return L.Dense(2)(L.GlobalMaxPooling1D()(x))


@of((6,), indices=30)
def embedding_gru(x: Any) -> Any:
    return L.Dense(4)(L.GRU(6, unroll=True)(L.Embedding(30, 5)(x)))


__all__ = ["MODELS"]
