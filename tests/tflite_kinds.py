"""Every kind of operator that random models are made of, with its maker."""

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.tflite_builder import ModelSpec, random_model
from tests.tflite_math import random_binary
from tests.tflite_moves import MOVES
from tests.tflite_products import random_product_model
from tests.tflite_windows import random_window_model

_OTHERS = (
    "FULLY_CONNECTED",
    "LOGISTIC",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "TANH",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)

BINARY = ("ADD", "MAXIMUM", "MINIMUM", "MUL", "PRELU", "SQUARED_DIFFERENCE", "SUB")
WINDOWS = ("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "TRANSPOSE_CONV")

MAKERS: dict[str, Callable[[np.random.Generator], ModelSpec]] = {
    **{kind: partial(random_model, kind) for kind in _OTHERS},
    **{kind: partial(random_binary, kind) for kind in BINARY},
    **{kind: partial(random_product_model, kind) for kind in ("FULLY_CONNECTED", "BATCH_MATMUL")},
    **{kind: partial(random_window_model, kind) for kind in WINDOWS},
    **MOVES,
}
