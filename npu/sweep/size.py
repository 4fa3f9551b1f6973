"""How large a chip is: the one place where sweeps ask for it."""

from npu.chip.params import ChipParams
from npu.chip.technology import asic_area


def on_chip_bytes(params: ChipParams) -> int:
    """Of all memories on the chip: banks, copies of activations, and three of the whole chip."""
    lane = params.bank_bytes + params.activation_entries
    return params.lanes * lane + params.param_bytes + params.sram_bytes + params.program_bytes


def area_mm2(params: ChipParams) -> float:
    """Of the chip's silicon at its node, an estimate."""
    return asic_area(params).total_mm2
