"""A chip small enough for proofs about its lanes, the same for all of them."""

from npu.params import load_params

THREADS = 2
PARAMS = load_params("tiny").model_copy(
    update={
        "lanes": 1,
        "threads": THREADS,
        "bank_bytes": 64,
        "sram_bytes": 64,
        "param_bytes": 64,
        "activation_entries": 8,
        "bus_bytes": 8,
    }
)
