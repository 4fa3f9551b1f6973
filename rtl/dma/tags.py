"""Which tags have transfers that are open."""

from amaranth.hdl import Module, Signal, Value

from npu.chip.isa import TAGS


def count_tags(
    m: Module, most: int, enters: Value, entering: Value, leaves: Value, leaving: Value
) -> list[Value]:
    """Whether transfers of each tag are open, at most `most` of them together.

    enters, leaves : a tagged transfer does, in this cycle; entering, leaving : its tag.
    """
    open_tags: list[Value] = []
    for tag in range(TAGS):
        count = Signal(range(most + 1), name=f"open_{tag}")
        more, less = enters & (entering == tag), leaves & (leaving == tag)
        m.d.sync += count.eq(count + more - less)
        open_tags.append(count != 0)
    return open_tags
