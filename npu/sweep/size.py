"""How large a chip is: the one place where sweeps ask for it."""

from npu.chip.params import ChipParams

# What stands beside the memories, in bits of memory: a lane with its decoder and multiplier, a row
# on its way through a lane, a byte of the bus and of what is dealt from it, an element of the
# vector unit. They rank chips; they are no areas.
LANE_BITS = 24_000
THREAD_BITS = 1_000
BUS_BYTE_BITS = 2_000
ELEMENT_BITS = 12_000


def on_chip_bytes(params: ChipParams) -> int:
    """Of all memories on the chip: banks, copies of activations, and the four of the whole chip."""
    lane = params.bank_bytes + params.activation_entries
    return params.lanes * lane + params.param_bytes + params.sram_bytes + params.program_bytes


def area_mm2(params: ChipParams) -> float | None:
    """Of the chip's silicon, an estimate; None while there is none."""
    return None


def size(params: ChipParams) -> float:
    """What makes one chip smaller than another: its area, or memory and logic as bits of memory."""
    area = area_mm2(params)
    if area is not None:
        return area
    logic = (
        params.lanes * LANE_BITS
        + params.slots * THREAD_BITS
        + params.bus_bytes * BUS_BYTE_BITS
        + params.vector_elements * ELEMENT_BITS
    )
    return float(8 * on_chip_bytes(params) + logic)
