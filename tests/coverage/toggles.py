"""Why bits of the chip have not been seen to go up or down: classes, by signal and bit.

Toggles have no bar. What no class speaks of is counted as `other`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.coverage.points import Point


@dataclass(frozen=True)
class Class:
    """Bits with one reason. `pattern` fits the whole of "module signal"."""

    name: str
    pattern: str
    reason: str


CLASSES = (
    Class(
        "external addresses",
        r".* (m_axi_a[rw]addr|axi_a[rw]_payload|program_address|burst_address|rest_address"
        r"|storage|r_data(_2)?|held_1|head|signal_86_52)(\[.*)?",
        "the simulated memory is smaller than what an address of 32 bits reaches",
    ),
    Class(
        "constant bus fields",
        r".* (m_axi_a[rw](id|size|burst|cache|prot|len)|m_axi_[br](id|resp)|s_axil_a[rw]prot).*",
        "the manager uses one ID, one size and one kind of burst",
    ),
    Class(
        "counters",
        r"control (\w*_cycles|cycles|stalled_turns|bytes_\w+|macs(_gated)?|symbols|commands).*",
        "the high bits of performance counters change after minutes of simulation",
    ),
    Class(
        "program indices",
        r".* (commands\w*|program_beats\w*|program_commands|host_error_pc|error_pc\w*|host_pc"
        r"|following|pc\w*)(\[.*)?",
        "programs are shorter than the 65,536 commands that an index counts",
    ),
    Class(
        "sizes",
        r".* (counts\w*|count_[xy]|left_\d|index|kept\w*|rows\w*|positions|window\w*|held_[0-9]"
        r"|rest_beats|received|lengths\w*|header\w*|offsets|place|group|result)(\[.*)?",
        "counts of elements, rows and beats reach further than a memory of this chip",
    ),
    Class(
        "bits that lead nowhere",
        r".* (unused_\d+|reserved|stray|like_\d+|skipped)(\[.*)?",
        "bits of a sum or a word that the design drops, or that no legal word has",
    ),
)
OTHER = "other"


def classes(points: Mapping[Point, int]) -> Counter[str]:
    """How many bits and directions have not been seen, by class."""
    found: Counter[str] = Counter()
    for point, count in points.items():
        if point.kind == "toggle" and not count:
            text = f"{point.module.removeprefix('zeroskip_')} {point.what.rpartition(':')[0]}"
            found[_class_of(text)] += 1
    return found


def _class_of(text: str) -> str:
    for each in CLASSES:
        if re.fullmatch(each.pattern, text):
            return each.name
    return OTHER
