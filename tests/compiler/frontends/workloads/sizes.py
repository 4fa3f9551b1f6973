"""Small workloads for tests, with every kind of layer."""

import numpy as np

from compiler import Model
from compiler.frontends.workloads.assemble import assemble
from compiler.frontends.workloads.weights import RandomWeights

SMALL = {
    "title": "a small one",
    "sources": ["none"],
    "differs": [],
    "features": {"bins": 12, "window": 400, "stack": 3, "hop": 3},
    "frames_per_call": 2,
    "max_symbols_per_frame": 3,
    "encoder": [
        ["lstm", 36, 16],
        ["lstmp", 16, 24, 20],
        ["stack", 2],
        ["repeat", 2, [["residual", [["linear", 40, 48], ["swish"], ["linear", 48, 40]]]]],
        ["norm"],
    ],
    "decoder": [["embedding", 29, 12], ["lstmp", 12, 10, 8]],
    "joiner": [["concat"], ["linear", 48, 24], ["relu"], ["linear", 24, 29]],
}

STATELESS = {
    **SMALL,
    "features": {"bins": 16, "window": 400, "stack": 9, "hop": 4},
    "frames_per_call": 1,
    "encoder": [
        ["image", 9, 16],
        ["conv2d", 1, 3, 1, 1],
        ["swish"],
        ["conv2d", 3, 4, 2, 0],
        ["swish"],
        ["conv2d", 4, 6, 2, 0],
        ["flat"],
        ["linear", 18, 32],
        ["conformer", 4, 40, 5, 6],
    ],
    "decoder": [["embedding", 40, 16], ["conv1d", 16, 16, 2, 4], ["relu"]],
    "joiner": [["sum", 32, 16, 24], ["tanh"], ["linear", 24, 40]],
}

CONVOLUTIONS = {
    **STATELESS,
    "encoder": [
        *STATELESS["encoder"][:-1],
        ["local", 32, 3, [3, 2]],
        ["beside", [["lstms", 32, 2, 20, 24], ["global", 32, 2, 4, 9], ["global", 32, 4, 4, 12]]],
        ["linear", 64, 32],
        ["norm"],
    ],
}

GATED = {
    unseen: {
        **STATELESS,
        "encoder": [*STATELESS["encoder"][:-1], ["repeat", 3, [["gated", 4, 48, 6, 8, unseen]]]],
    }
    for unseen in ("written", "skipped")
}

ZIPFORMER = {
    **STATELESS,
    "features": {"bins": 24, "window": 400, "stack": 29, "hop": 16},
    "encoder": [
        ["image", 29, 24],
        ["conv2d", 1, 3, 1, [0, 1]],
        ["swoosh_r"],
        ["conv2d", 3, 4, 2, 0],
        ["swoosh_r"],
        ["conv2d", 4, 6, [1, 2], 0],
        ["swoosh_r"],
        ["convnext", 7, 3],
        ["flat"],
        ["linear", 30, 16],
        ["bias_norm"],
        [
            "zipformer",
            16,
            [8, 4, 4, 8],
            [[1, 1, 16, 32, 2, 9], [2, 2, 24, 32, 4, 9], [1, 4, 16, 24, 2, 5]],
        ],
        ["downsample", 2],
    ],
    "joiner": [["sum", 24, 16, 24], ["tanh"], ["linear", 24, 40]],
}
"""Chunks of 8 frames at three rates, with 16 before them; the second stack is the widest."""


def model_of(sizes: dict, sparsity: float = 0.5, seed: int = 1) -> Model:
    """The transducer of some sizes."""
    parts = assemble("small", sizes, RandomWeights(sparsity, seed))
    return Model("small", parts.graphs, parts.config, parts.tokens, parts.sources)


class OneWeight(RandomWeights):
    """Matrices that take no memory."""

    def __init__(self) -> None:
        super().__init__(0.0, 1)

    def matrix(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(np.int8(1), shape)
