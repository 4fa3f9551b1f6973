"""The matrix-vector command: load tables and activations, run the lanes, drain the requantiser.

Three things that know nothing of one another, put together: what the streams hold
(`npu.twin.streams`), how long the lanes take over them (`npu.chip.cost`), and what comes out
(`npu.twin.product`). The first two depend on the weights and the configuration alone: they make a
plan, which may be kept as long as the weights stay the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from npu.chip import cost, windows
from npu.chip.faults import RECORD_REASONS, STREAM_REASONS, StreamFault
from npu.chip.isa import Command, ElementType, command
from npu.chip.lanes import ALL_DONE, ENDLESS, NEVER
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.weight_format import (
    MAX_STREAM_BITS,
    MAX_TILE_ROWS,
    PARAM_WORD,
    SCALES_AT,
    STREAM_BITS,
    WORD_BITS,
    CodeSet,
    block_bytes,
    block_size,
    directory_words,
    record_bytes,
    unpack_block,
)
from npu.errors import MachineError
from npu.twin.dma import Place
from npu.twin.probe import LaneCourse
from npu.twin.product import FIELDS, multiply
from npu.twin.records import Records
from npu.twin.streams import Codes, Decoded, Sections, decode, locate
from npu.twin.summed import bind_sums
from npu.twin.sums import Sums
from npu.twin.vector import NUMPY
from npu.twin.windows import multiply_at_positions, require_apart
from npu.twin.work import Work

MOST_POSITIONS, MOST_ELEMENTS = 1 << 20, 1 << 24
"""Of a command: more elements, over all positions, than any SRAM holds."""
_COLD = cost.Held()
_ONE_POSITION = command("POSITIONS", count_x=1, count_y=1)


@dataclass(frozen=True, eq=False)
class Block:
    """A matrix block: code sets, and the scales that rows share, (n,) SCALE_DTYPE."""

    sets: Sequence[CodeSet]
    shared: np.ndarray


@dataclass(frozen=True, eq=False)
class Reads:
    """What a command reads besides its activations.

    Attributes
    ----------
    base : first 32-bit word of the sections in every bank.
    records, rows : row records that the directories name (one more than the highest), rows of all
        slots.
    bank_ends : (lanes,) ends of the sections in bus words, as the directories say.
    spans : of the sections, the row records and, unless its codes are held, the block.
    """

    base: int
    records: int
    rows: int
    bank_ends: np.ndarray
    spans: tuple[Place, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything about a command that does not change while its weights stay the same.

    Attributes
    ----------
    block : that it decodes with.
    weights : (rows, columns) int8, in the order in which the rows leave the lanes; of a windowed
        command slot by slot.
    rows : (rows,) ROW, likewise.
    order : of a windowed command, that of LaneRun.
    nonzeros : (columns,) nonzero weights of every column.
    elements : the destinations, in order.
    spans : what it all came from.
    work : of the command.
    course : of the lanes, where somebody looks at it.
    """

    block: Block
    weights: np.ndarray
    rows: np.ndarray
    order: np.ndarray
    nonzeros: np.ndarray
    elements: np.ndarray
    spans: tuple[Place, ...]
    work: Work
    course: LaneCourse | None


@dataclass(frozen=True, eq=False)
class Product:
    """A plan with its operands found.

    Attributes
    ----------
    target : all of SRAM from the destination on.
    elements : those of `target` that it writes, in order.
    run : does the work and returns the MACs that were gated.
    """

    plan: Plan
    target: np.ndarray
    elements: np.ndarray
    run: Callable[[], int]


class Room(NamedTuple):
    """What a command may take: elements from its last destination to the end of SRAM, and cycles.

    More cycles of the lanes are a MachineError without a status. sums : lie in SRAM, too.
    """

    elements: int
    cycles: int = NEVER
    sums: Sums | None = None

    def outside(self, destinations: np.ndarray) -> np.ndarray:
        """(n,) bool, for which destinations there is no room."""
        outside = destinations >= self.elements
        return outside if self.sums is None else outside | self.sums.outside(destinations)


def reads(
    cmd: Command,
    params: ChipParams,
    banks: np.ndarray,
    param: np.ndarray,
    held: Block | None = None,
) -> Reads:
    """What `cmd` will read. Raises MachineError when its directories lie outside the banks.

    banks : (lanes, words) uint32; param : (bytes,) uint8, parameter memory. held : the block that
    is there, if the command says so.
    """
    base = cmd.bank * params.bus_words
    head = directory_words(params.threads)
    if base + head > banks.shape[1]:
        raise MachineError(
            f"matvec: section at bank word {base} lies outside the bank", Status.ADDRESS
        )
    words = banks[:, base : base + head].reshape(params.lanes, params.threads, 2).astype(np.int64)
    (rows, row_base), bits = words.T >> STREAM_BITS, words & MAX_STREAM_BITS
    records = int(np.max(np.where(rows > 0, rows + row_base, 0)))
    ends = head * WORD_BITS + bits.sum(axis=(1, 2))
    bank_ends = cmd.bank - (-ends // (params.bus_bytes * 8))
    scales_at = cmd.block + SCALES_AT
    scales = int(param[scales_at]) if scales_at < len(param) else 0
    blocks = [Place("param", cmd.block, cmd.block + block_size(param, cmd.block))]
    if cmd.values["held"]:
        scales, blocks = len(held.shared) if held else 0, []
    spans = (
        Place("bank", cmd.bank, int(bank_ends.max())),
        Place("param", cmd.rows, cmd.rows + records * record_bytes(scales)),
        *blocks,
    )
    return Reads(base, records, int(rows.sum()), bank_ends, spans)


def windows_of(cmd: Command, held: cost.Held) -> int:
    """At how many positions a command runs."""
    if not cmd.values["windowed"] or held.positions is None:
        return 1
    return held.positions.count_x * held.positions.count_y


def block_of(cmd: Command, param: np.ndarray, held: Block | None) -> Block:
    """The block that a command decodes with. Raises MachineError where there is none."""
    if cmd.values["held"]:
        if held is None:
            raise MachineError("matvec: no codes are held", Status.TABLE)
        return held
    block = unpack_block(param, cmd.block)
    if isinstance(block, str):
        raise MachineError(f"matvec: {block}", Status.TABLE)
    return Block(*block)


def plan(
    cmd: Command,
    params: ChipParams,
    found: Reads,
    block: Block,
    banks: np.ndarray,
    param: np.ndarray,
    room: Room,
    held: cost.Held = _COLD,
    looked_at: bool = False,
) -> Plan:
    """Decode the streams, run the lanes over them, and find every row's record.

    found : of `reads`, which takes `banks` and `param`, too. block : of `block_of`. looked_at :
    note what the lanes do in every cycle.

    Raises MachineError with the unit, place and reason of a corrupt stream or record.
    """
    sets, shared = block.sets, block.shared
    if found.rows > MAX_TILE_ROWS:
        raise MachineError(
            f"matvec: {found.rows} rows, a tile has at most {MAX_TILE_ROWS}", Status.RECORD
        )
    # A slot has a turn in every `threads` cycles at most.
    most_turns = room.cycles // params.threads + 1
    sections = Sections(banks, found.base, params.threads)
    decoded = _decode(sections, sets, cmd.columns, most_turns)
    records = Records.read(param, cmd.rows, found.records, shared)
    rows, wrong = records.of(decoded.records, room.outside)
    if wrong is not None and cmd.values["windowed"]:
        # The chip begins with no further position.
        held = held._replace(positions=_ONE_POSITION)
    elif found.rows * windows_of(cmd, held) > MOST_ELEMENTS:
        raise MachineError(f"matvec: {found.rows} rows at more positions than SRAM has places")
    entries = [(len(run.entries), len(value.entries)) for run, value in sets]
    streams = cost.Streams(entries, len(shared), decoded.turns)
    cycles, run, words = cost.product(cmd, held, params, streams, room.cycles)
    if run.stopped != ALL_DONE:
        raise _stopped(run.stopped, decoded, params.threads)
    if wrong is not None:
        _, wrong = records.of(decoded.records[run.order], room.outside)
        assert wrong is not None, "in any order"
        slot = int(np.searchsorted(decoded.turns.first, run.order[wrong.row], "right")) - 1
        lane, reason = slot // params.threads, RECORD_REASONS[wrong.fault]
        raise MachineError(f"matvec: {reason} (lane {lane})", Status.RECORD)
    nonzeros = np.count_nonzero(decoded.weights, axis=0)
    turns = decoded.turns.of_slots()
    last = np.where(turns > 0, (turns - 1) * params.threads + _threads(params) + 1, 0)
    windowed, positions = cmd.values["windowed"], len(words)
    leaving = slice(None) if windowed else run.order
    record_reads = positions * found.records * record_bytes(len(shared))
    block_reads = 0 if cmd.values["held"] else block_bytes(sets, len(shared))
    return Plan(
        block=block,
        weights=decoded.weights[leaving],
        rows=rows[leaving],
        order=run.order,
        nonzeros=nonzeros,
        elements=np.unique(rows["destination"]),
        spans=found.spans,
        work=Work(
            cycles=cycles,
            run_cycles=run.cycles,
            turns=positions * int(turns.sum()),
            decode_cycles=positions * int(np.max(last, initial=0)),
            positions=positions,
            symbols=positions * decoded.symbols,
            macs=positions * int(nonzeros.sum()),
            stalled=run.stalled,
            bank_words=positions * int((found.bank_ends - cmd.bank).sum()) * params.bus_words,
            param_words=(block_reads + record_reads) // PARAM_WORD,
            rows=positions * found.rows,
            reads=int(words.sum()),
        ),
        course=LaneCourse.of(cmd, held, params, streams, run, positions) if looked_at else None,
    )


def bind(
    cmd: Command,
    plan: Plan,
    sram: np.ndarray,
    walk: windows.Walk | None = None,
    sums: Sums | None = None,
) -> Product | None:
    """The command's arithmetic on its operands; None where not all of them lie in SRAM.

    sram : (bytes,) uint8. walk : of a windowed command. sums : of one with `raw` or `add`.
    """
    if sums is not None:
        room = Room(room_of(cmd, sram, walk), sums=sums)
        if np.any(room.outside(plan.elements)):
            return None
        return Product(plan, *bind_sums(cmd, plan, sram, walk, sums))
    if walk is not None:
        return _bind_windows(cmd, plan, sram, walk)
    out = target(cmd, sram)
    if np.max(plan.elements, initial=-1) >= len(out):
        return None
    vector = sram[cmd.a : cmd.a + cmd.columns].view(np.int8)
    fields = np.array([tuple(cmd.values[name] for name in FIELDS.names or ())], FIELDS)
    run = partial(multiply, plan.weights, plan.nonzeros, vector, plan.rows, fields, out)
    return Product(plan, out, plan.elements, run)


def _bind_windows(cmd: Command, plan: Plan, sram: np.ndarray, walk: windows.Walk) -> Product | None:
    """`bind` of a windowed command. Raises MachineError where windows and destinations race."""
    element = ElementType(cmd.dst_type)
    destinations = walk.destinations()
    out = sram[: len(sram) // element.n_bytes * element.n_bytes].view(NUMPY[element])
    bases = destinations // element.n_bytes
    if np.max(plan.elements, initial=-1) + np.max(bases) >= len(out) and len(plan.elements):
        return None
    places = destinations[:, None] + plan.elements * element.n_bytes
    require_apart(walk, places, element.n_bytes, len(sram))
    fields = np.array([tuple(cmd.values[name] for name in FIELDS.names or ())], FIELDS)
    run = partial(
        multiply_at_positions,
        plan.weights,
        plan.nonzeros,
        sram.view(np.int8),
        plan.rows,
        fields,
        walk,
        bases,
        plan.order,
        out,
    )
    written = np.unique(bases[:, None] + plan.elements)
    return Product(plan, out, written, run)


def room_of(cmd: Command, sram: np.ndarray, walk: windows.Walk | None) -> int:
    """Elements from the command's destination, its last in memory, to the end of SRAM."""
    if walk is None:
        return len(target(cmd, sram))
    last = int(walk.destinations().max())
    return max(0, len(sram) - last) // ElementType(cmd.dst_type).n_bytes


def target(cmd: Command, sram: np.ndarray) -> np.ndarray:
    """All of SRAM from the destination on, as elements."""
    element = ElementType(cmd.dst_type)
    limit = (len(sram) - cmd.dst) // element.n_bytes * element.n_bytes
    return sram[cmd.dst : cmd.dst + limit].view(NUMPY[element])


def _decode(sections: Sections, sets: Sequence[CodeSet], columns: int, most_turns: int) -> Decoded:
    """What the sections hold; a slot that is wrong as a whole is a MachineError at once."""
    slots = locate(sections)
    if slots.fault:
        raise _corrupt(slots.fault, slots.faulty, slots.fault_bit, sections.threads)
    runs, values = (Codes.of(tables) for tables in zip(*sets, strict=True))
    return decode(sections, slots, runs, values, columns, most_turns)


def _threads(params: ChipParams) -> np.ndarray:
    """(slots,) int64, the thread of every slot."""
    return np.arange(params.slots) % params.threads


def _stopped(at: int, decoded: Decoded, threads: int) -> MachineError:
    """The error of lanes that were stopped: of a slot, or ENDLESS."""
    if at == ENDLESS:
        return MachineError(
            "matvec: the limit of cycles is used up; if the image is right, raise it with "
            "--max-cycles"
        )
    return _corrupt(decoded.faults[at], at, decoded.fault_bits[at], threads)


def _corrupt(fault: int, slot: int, bit: int, threads: int) -> MachineError:
    """The error of a slot whose streams are corrupt."""
    lane, thread = divmod(slot, threads)
    reason = STREAM_REASONS[StreamFault(fault)]
    return MachineError(
        f"matvec: {reason} (lane {lane}, thread {thread}, bit {bit})", Status.STREAM
    )
