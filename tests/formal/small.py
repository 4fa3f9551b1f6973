"""A chip small enough for proofs about its lanes, the same for all of them."""

from typing import Any

from pydantic import BaseModel

from npu.chip.params import ChipParams, load_params

THREADS = 2


def smaller(params: ChipParams, changes: dict[str, Any]) -> ChipParams:
    """A chip below the limits of a description, which `ChipParams.model_copy` refuses."""
    return BaseModel.model_copy(params, update=changes)


PARAMS = smaller(
    load_params("tiny"),
    {
        "lanes": 1,
        "threads": THREADS,
        "bank_bytes": 64,
        "sram_bytes": 64,
        "param_bytes": 64,
        "activation_entries": 8,
        "bus_bytes": 8,
    },
)
