"""Every kind of operator that random models are made of, with its maker."""

from collections.abc import Callable
from functools import partial

import numpy as np

from tests.tflite_builder import ModelSpec, random_model
from tests.tflite_math import GENERATORS, ISLANDS, random_island
from tests.tflite_moves import MOVES, PICKS
from tests.tflite_products import random_product_model
from tests.tflite_wide import WIDE
from tests.tflite_windows import random_window_model

_OTHERS = (
    "LOGISTIC",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "TANH",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)

PRODUCTS = ("BATCH_MATMUL", "FULLY_CONNECTED", "SVDF")
WINDOWS = ("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "TRANSPOSE_CONV")

MAKERS: dict[str, Callable[[np.random.Generator], ModelSpec]] = {
    **{kind: partial(random_model, kind) for kind in _OTHERS},
    **{kind: partial(make, kind) for kind, make in GENERATORS.items()},
    **{kind: partial(random_island, kind) for kind in ISLANDS},
    **{kind: partial(random_product_model, kind) for kind in PRODUCTS},
    **{kind: partial(random_window_model, kind) for kind in WINDOWS},
    **MOVES,
    **PICKS,
    **WIDE,
}
