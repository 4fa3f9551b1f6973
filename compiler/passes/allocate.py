"""SRAM allocation: every buffer gets an address; buffers that are never alive together share."""

from compiler.lowering.ir import Buffer, ChipModule, operands
from npu.chip.params import ChipParams
from npu.errors import CapacityError


def lifetimes(module: ChipModule) -> dict[Buffer, tuple[int, int]]:
    """First and last operator (counted over all segments) that touches each buffer.

    A persistent buffer lives throughout.
    """
    spans: dict[Buffer, tuple[int, int]] = {}
    position = 0
    for segment in module.segments.values():
        for op in segment.operators:
            reads, writes = operands(op)
            for buffer in (*reads, *writes):
                first, _ = spans.get(buffer, (position, position))
                spans[buffer] = (first, position)
            position += 1
    for buffer in module.buffers:
        if buffer.persistent:
            spans[buffer] = (0, position)
    return spans


def allocate(module: ChipModule, params: ChipParams) -> int:
    """Set every buffer's address; returns the bytes of SRAM in use.

    Largest first, each at the lowest address that is free throughout its life. Raises
    CapacityError when the SRAM is too small.
    """
    spans = lifetimes(module)
    placed: list[Buffer] = []
    order = sorted(spans, key=lambda b: (-b.n_bytes, spans[b], b.name))
    for buffer in order:
        first, last = spans[buffer]
        busy = sorted(
            (b.address, b.address + b.n_bytes)
            for b in placed
            if spans[b][0] <= last and first <= spans[b][1]
        )
        address = 0
        for start, end in busy:
            if address + buffer.n_bytes <= start:
                break
            address = max(address, end)
        buffer.address = address
        placed.append(buffer)
    used = max((b.address + b.n_bytes for b in placed), default=0)
    if used > params.sram_bytes:
        biggest = max(spans, key=lambda b: b.n_bytes)
        raise CapacityError(
            f"the model needs {used} bytes of vector SRAM (largest: {biggest.name}, "
            f"{biggest.n_bytes} bytes), chip {params.name!r} has {params.sram_bytes}; "
            "take a chip with a larger sram_bytes"
        )
    return used
