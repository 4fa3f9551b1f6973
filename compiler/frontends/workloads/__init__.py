"""Workloads: networks of published dimensions with seeded random weights, without a file.

`names` says how they are called, `workloads.json` what they are made of and where that is
published; `weights` draws the matrices, `graphs` builds a graph operator by operator, `layers`,
`recurrent`, `attention`, `convolution`, `gated`, `zipformer` and `shapes` are the layers, and
`assemble` makes a transducer of it.
"""

from compiler.frontends.workloads.names import (
    PREFIX,
    SEED,
    SPARSITY,
    Workload,
    is_workload,
    published,
    with_weights,
    workload_of,
)

__all__ = [
    "PREFIX",
    "SEED",
    "SPARSITY",
    "Workload",
    "is_workload",
    "published",
    "with_weights",
    "workload_of",
]
