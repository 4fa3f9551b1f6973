"""Why what was not hit cannot be hit: one table for the Verilog's branches, one for the bins.

An argument stands for what is missing now; one whose hole is hit is an error, as is a hole without
one (`unargued`, `stale`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.coverage.bins import Bin
from tests.coverage.points import Point, line_counts


@dataclass(frozen=True)
class Argument:
    """An argument for holes.

    Attributes
    ----------
    place : a pattern that fits the whole of a hole's text: of the Verilog "module signal", with the
        signal that the line assigns; of bins their words.
    reason : why nothing can hit it.
    """

    place: str
    reason: str

    def fits(self, hole: str) -> bool:
        """Whether it speaks of this hole."""
        return re.fullmatch(self.place, hole) is not None


_CHAIN = (
    "The last arm of a chain over all states of a machine, or over all numbers of a register: one"
    " of the arms before it is always chosen. An expression needs the arm, the source has none."
)
_ENABLED = (
    "The register's `if` holds only when one of the arms before is chosen; the last one is what the"
    " expression would be without the `if`."
)
_COVERED = "An arm behind one whose condition it implies."

CODE = (
    *(
        Argument(place, _CHAIN)
        for place in (
            r"dma chosen_2",
            r"dma chosen_4",
            r"dma signal_2",
            r"dma_tile chosen_6",
            r"dma_tile chosen_9",
            r"dma_tile chosen_12",
            r"dma_tile chosen_1[45]",
            r"param pair_0_data",
            r"param read_0_data",
            r"sequencer chosen_34",
            r"sequencer_registers chosen_[123]",
            r"vector chosen_5",
        )
    ),
    *(
        Argument(place, _ENABLED)
        for place in (
            r"control happened\[[01]\]",
            r"control_bus bus_[rb]_valid",
            r"dma signal_8\[1:0\]",
            r"dma signal_12",
            r"dma_asks level",
            r"dma_queue level",
            r"dma_tile signal_[468]",
            r"dma_tile dealt",
            r"dma_tile thread",
            r"dma_tile following_2",
            r"matvec_barrel loading",
            r"matvec_block_(run|value) (busy|room\[0\]|signal\[0\])",
            r"matvec_destinations row",
            r"matvec_lane_fetch start_7",
            r"matvec_vector_walker reading",
            r"sequencer first",
            r"vector word",
        )
    ),
    Argument(r"matvec_vector_walker chosen_[89]", _COVERED),
    Argument(
        r"dma asked",
        "A program is loaded only while nothing moves: the queue then has room"
        " (tests/formal/test_proof_control.py, `load_only_when_quiet`).",
    ),
    Argument(
        r"matvec chosen_5",
        "More rows than a tile may have: their records, of 8 bytes each, do not fit the parameter"
        " memory of this chip. tests/rtl/matvec/test_requantiser.py counts them.",
    ),
    Argument(
        r"matvec_requantiser_rescale chosen_1",
        "A right shift of 32: the unit can do it, a record that asks for it is refused (RECORD).",
    ),
    Argument(
        r"vector_argmax known",
        "With one element a word, a word that comes always has it.",
    ),
)

_SCALARS = "(HALT|ADD|MUL|B..|WAIT|SUB|MULH|SLL|SRA|RSRA|CLZ|MIN|MAX)"

BINS = (
    Argument(
        rf"status {_SCALARS} (ADDRESS|BUS|TILE|TABLE|STREAM|RECORD) .*",
        "It reaches no memory; a transfer that fails meanwhile is told with its own index.",
    ),
    Argument(
        rf"corner {_SCALARS} \w+ \w+ error",
        "It stops only as ILLEGAL_COMMAND, and then its fields mean nothing.",
    ),
    Argument(
        r"status (LOADS|STORES|WINDOW|POSITIONS|TABLE|V[A-Z]+) (BUS|TILE|TABLE|STREAM|RECORD) .*",
        "It reaches nothing but SRAM and parameter memory, and no tile.",
    ),
    Argument(
        r"status (LOAD_PARAM|LOAD|STORE|STORE_REG|LOAD_REG) (TILE|TABLE|STREAM|RECORD) .*",
        "It moves bytes and reads nothing in them.",
    ),
    Argument(
        r"status \w+ (PARITY|BUS_TIMEOUT) .*",
        "It comes from outside the program, and the twin never stops with it.",
    ),
    Argument(
        r"status (STORE_REG|LOAD_REG) ADDRESS .*",
        "It has no local address and no size.",
    ),
    Argument(
        r"status LOAD_BANK (TABLE|STREAM|RECORD) .*",
        "The directory alone is read at load, which is TILE.",
    ),
    Argument(r"status MATVEC (BUS|TILE) .*", "It has no transfer."),
    Argument(
        r"corner \w+ (beats|n|columns|ny|nx|length|count_\w) zero OK",
        "A size of zero is refused.",
    ),
    Argument(
        r"corner (LOAD_PARAM beats|LOAD beats|STORE beats|MATVEC columns) high OK",
        "More than the memory has that it would fill or read, in a chip of this size.",
    ),
    Argument(
        r"corner (LOAD_PARAM param|LOAD sram|STORE sram|MATVEC (bank|rows)|TABLE param) high OK",
        "Behind the end of every memory that the address field can reach, or not a multiple of a"
        " word, and nothing makes it relative.",
    ),
    Argument(r"corner (LOADS|STORES) type high OK", "Type 3 is none."),
    Argument(
        r"corner WINDOW (width|height) high OK",
        "Refused: it is less than half of what an address or a row's number counts.",
    ),
    Argument(
        r"corner TABLE param zero error",
        "A table at 0 always fits.",
    ),
    Argument(
        r"(corner VDOT looped zero OK|flags VDOT (?!.*looped).* OK)",
        "A VDOT that is not looped is refused.",
    ),
)


def bin_text(each: Bin) -> str:
    """A bin's words."""
    return " ".join(each)


def assigned(source: Sequence[str], line: int) -> str:
    """The signal that a line of the exported Verilog assigns, or the statement that it goes on
    with; the line itself where none is.

    source, line : all lines; the number of this one, from 1 on.
    """
    first = line - 1
    while first and not re.search(r"(;|\bbegin|\bend|\))\s*$|^\s*$", source[first - 1]):
        first -= 1
    found = re.search(r"([\w]+(?:\[[\d:]+\])?)\s*(?:<=|=)\s", " ".join(source[first:line]))
    return found[1] if found else source[line - 1].strip()


def code_holes(points: Mapping[Point, int], verilog: str) -> list[str]:
    """Lines and branches that were not hit, as "module signal"."""
    source = verilog.splitlines()
    places = {place for place, count in line_counts(points).items() if not count}
    places |= {(p.module, p.line) for p, n in points.items() if p.kind == "branch" and not n}
    return [
        f"{module.removeprefix('zeroskip_')} {assigned(source, line)}"
        for module, line in sorted(places)
    ]


def unargued(holes: Iterable[str], arguments: Sequence[Argument]) -> list[str]:
    """Holes that no argument speaks of."""
    return sorted({hole for hole in holes if not any(each.fits(hole) for each in arguments)})


def stale(holes: Iterable[str], arguments: Sequence[Argument]) -> list[str]:
    """Arguments without a hole."""
    holes = list(holes)
    return [each.place for each in arguments if not any(each.fits(hole) for hole in holes)]
