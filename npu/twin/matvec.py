"""The matrix-vector command: load tables and activations, run the lanes, drain the requantiser.

Its cycles depend on the weights and the configuration alone, so they are stepped once and
remembered with the decoded weights in a plan. Both ways give the same bits and cycles.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from npu.chip import timing
from npu.chip.isa import Command, ElementType
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.weight_format import (
    MAX_STREAM_BITS,
    MAX_SYMBOLS,
    MAX_TILE_ROWS,
    ROW_DTYPE,
    SCALE_DTYPE,
    SCALES_AT,
    STREAM_BITS,
    WORD_BITS,
    CodeSet,
    CodeTable,
    block_bytes,
    block_size,
    directory_words,
    unpack_block,
)
from npu.errors import MachineError
from npu.twin import lane
from npu.twin.vector import NUMPY

# Weights of all plans together, a byte each: what is larger is stepped every time.
MAX_PLANNED_WEIGHTS = 1 << 27


@dataclass(frozen=True)
class Work:
    """What a matrix-vector command did: cycles in all, and what its units counted.

    `run_cycles` are those from the lanes' first turn to the last write; `symbols` includes explicit
    zero weights, `macs` does not; `stalled` turns waited for the requantiser.
    """

    cycles: int
    run_cycles: int
    symbols: int
    macs: int
    gated: int
    stalled: int
    param_bytes: int
    rows: int


Spans = tuple[tuple[str, int, int], ...]
"""(space, first, end) in the units of `npu.chip.isa`."""


@dataclass(frozen=True, eq=False)
class Reads:
    """What a command reads besides its activations.

    Attributes
    ----------
    base : first 32-bit word of the sections in every bank.
    records, rows : row records that the directories name (one more than the highest), rows of all
        slots.
    stream_bits : bits of all sections without their directories, as the directories say.
    bank_ends : (lanes,) ends of the sections in bus words, as the directories say.
    spans : of the sections, the block and the row records.
    """

    base: int
    records: int
    rows: int
    stream_bits: int
    bank_ends: np.ndarray
    spans: Spans


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything about a command that does not change while its weights stay the same.

    Attributes
    ----------
    weights : (rows, columns) int8, in the order in which the rows leave the lanes; bias,
        destination, multipliers, shifts : (rows,) likewise.
    nonzeros : (columns,) nonzero weights of every column.
    elements : the destinations, in order.
    spans : what it all came from.
    work : of the command, but for the gated MACs.
    """

    weights: np.ndarray
    nonzeros: np.ndarray
    bias: np.ndarray
    destination: np.ndarray
    multipliers: np.ndarray
    shifts: np.ndarray
    elements: np.ndarray
    spans: Spans
    work: Work


@dataclass(frozen=True, eq=False)
class Product:
    """A plan with its operands found.

    Attributes
    ----------
    target : all of SRAM from the destination on.
    run : does the work and returns the MACs that were gated.
    """

    plan: Plan
    target: np.ndarray
    run: Callable[[], int]


class MatVec:
    """Executes MATVEC commands."""

    def __init__(self, params: ChipParams) -> None:
        self.params = params
        self._planned_weights = 0

    def reads(self, cmd: Command, banks: np.ndarray, param: np.ndarray) -> Reads:
        """What `cmd` will read. Raises MachineError when its directories lie outside the banks."""
        p = self.params
        base = cmd.bank * (p.bus_bytes * 8 // WORD_BITS)
        head = directory_words(p.threads)
        if base + head > banks.shape[1]:
            raise MachineError(
                f"matvec: section at bank word {base} lies outside the bank", Status.ADDRESS
            )
        words = banks[:, base : base + head].reshape(p.lanes, p.threads, 2).astype(np.int64)
        (rows, row_base), bits = words.T >> STREAM_BITS, words & MAX_STREAM_BITS
        records = int(np.max(np.where(rows > 0, rows + row_base, 0)))
        ends = head * WORD_BITS + bits.sum(axis=(1, 2))
        stream_bits = int(np.minimum(ends, p.bank_bytes * 8).sum()) - head * WORD_BITS * p.lanes
        bank_ends = cmd.bank - (-ends // (p.bus_bytes * 8))
        item = _record_bytes(
            int(param[cmd.block + SCALES_AT]) if cmd.block + SCALES_AT < len(param) else 0
        )
        return Reads(
            *(base, records, int(rows.sum()), stream_bits, bank_ends),
            (
                ("bank", cmd.bank, int(bank_ends.max())),
                ("param", cmd.block, cmd.block + block_size(param, cmd.block)),
                ("param", cmd.rows, cmd.rows + records * item),
            ),
        )

    def step(
        self,
        cmd: Command,
        reads: Reads,
        banks: np.ndarray,
        param: np.ndarray,
        sram: np.ndarray,
        record: bool = False,
        most_cycles: int = 1 << 62,
    ) -> tuple[Work, np.ndarray, Plan | None]:
        """Do the command, every lane in every cycle.

        record : make a plan for the next time.
        most_cycles : of the lanes; more is a MachineError without a status.

        Returns the work, the elements that were written in the order of their addresses, and the
        plan, None where there is no room for it. Raises MachineError with the unit, place and
        reason of a corrupt stream or table.
        """
        p = self.params
        block = unpack_block(param, cmd.block)
        if isinstance(block, str):
            raise MachineError(f"matvec: {block}", Status.TABLE)
        sets, shared = block
        per_row = len(shared) == 0
        rows, scales = self._records(cmd, param, reads, shared)
        bias, destination, scale, multipliers, shifts = (
            np.ascontiguousarray(array, np.int64)
            for array in (
                rows["bias"],
                rows["destination"],
                rows["scale"],
                scales["multiplier"],
                scales["shift"],
            )
        )
        target = self._target(cmd, sram)
        out = np.empty(len(target), np.int64)
        order = np.zeros((reads.rows, 2), np.int64)
        capacity = self._capacity(sets, reads, cmd.columns) if record else 0
        plan_row = np.zeros(capacity, np.int32)
        plan_column = np.zeros(capacity, np.int32)
        plan_weight = np.zeros(capacity, np.int8)
        fault, at_lane, thread, bit, cycles, symbols, macs, gated, stalled = lane.step(
            *(banks, reads.base, p.threads),
            *(stacked([run for run, _ in sets]) + stacked([value for _, value in sets])),
            *(lane.broadcast(self._vector(cmd, sram), cmd.a_zero), bias, destination, scale),
            *(multipliers, shifts, per_row),
            *(p.result_fifo, cmd.dst_zero, cmd.lo, cmd.hi, out, order),
            *(plan_row, plan_column, plan_weight, most_cycles),
        )
        if fault:
            status, reason = lane.FAULTS[fault]
            raise MachineError(
                f"matvec: {reason} (lane {at_lane}, thread {thread}, bit {bit})", status
            )
        entries = [(len(run.entries), len(value.entries)) for run, value in sets]
        load = timing.load(entries, len(shared), cmd.columns, p.bus_bytes, p.threads)
        work = Work(
            cycles=timing.MATVEC_START + load + int(cycles) + timing.MATVEC_END,
            run_cycles=int(cycles),
            symbols=int(symbols),
            macs=int(macs),
            gated=int(gated),
            stalled=int(stalled),
            param_bytes=block_bytes(sets, len(shared)) + reads.records * _record_bytes(len(shared)),
            rows=reads.rows,
        )
        numbers, taken = order.T
        elements = np.unique(destination[taken])
        target[elements] = out[elements]
        if not record or symbols > capacity:
            return work, target[elements], None
        weights = np.zeros((reads.rows, cmd.columns), np.int8)
        weights[plan_row[:symbols], plan_column[:symbols]] = plan_weight[:symbols]
        self._planned_weights += weights.size
        index = taken if per_row else scale[taken]
        plan = Plan(
            weights=weights[numbers],
            nonzeros=np.count_nonzero(weights, axis=0),
            bias=bias[taken],
            destination=destination[taken],
            multipliers=multipliers[index],
            shifts=shifts[index],
            elements=elements,
            spans=reads.spans,
            work=work,
        )
        return work, target[elements], plan

    def bind(self, cmd: Command, plan: Plan, sram: np.ndarray) -> Product | None:
        """The command as `step` did it when it made the plan, without the cycles.

        None where not all that it writes lies in SRAM: `step` says where it does not.
        """
        target = self._target(cmd, sram)
        if np.max(plan.elements, initial=-1) >= len(target):
            return None
        run = partial(
            lane.planned,
            *(plan.weights, plan.nonzeros, self._vector(cmd, sram), cmd.a_zero),
            *(plan.bias, plan.destination, plan.multipliers, plan.shifts),
            *(cmd.dst_zero, cmd.lo, cmd.hi, target),
        )
        return Product(plan, target, run)

    def _vector(self, cmd: Command, sram: np.ndarray) -> np.ndarray:
        return sram[cmd.a : cmd.a + cmd.columns].view(np.int8)

    def _target(self, cmd: Command, sram: np.ndarray) -> np.ndarray:
        """All of SRAM from the destination on."""
        element = ElementType(cmd.dst_type)
        limit = (len(sram) - cmd.dst) // element.n_bytes * element.n_bytes
        return sram[cmd.dst : cmd.dst + limit].view(NUMPY[element])

    def _records(
        self, cmd: Command, param: np.ndarray, reads: Reads, shared: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Row records and scales: the shared ones, or one per record."""
        if reads.rows > MAX_TILE_ROWS:
            raise MachineError(
                f"matvec: {reads.rows} rows, a tile has at most {MAX_TILE_ROWS}", Status.RECORD
            )
        item = _record_bytes(len(shared))
        # What lies outside parameter memory is a fault once the requantiser asks for it.
        count = min(reads.records, max(0, len(param) - cmd.rows) // item)
        raw = param[cmd.rows : cmd.rows + count * item].reshape(count, item)
        rows = raw[:, : ROW_DTYPE.itemsize].copy().view(ROW_DTYPE)[:, 0]
        if len(shared):
            return rows, shared
        return rows, raw[:, ROW_DTYPE.itemsize :].copy().view(SCALE_DTYPE)[:, 0]

    def _capacity(self, sets: Sequence[CodeSet], reads: Reads, columns: int) -> int:
        """An upper bound of the symbols, 0 if they cannot be remembered."""
        if self._planned_weights + reads.rows * columns > MAX_PLANNED_WEIGHTS:
            return 0
        # A code of a single entry takes no bits: then only the columns bound the symbols.
        shortest = min(
            sum(int(np.flatnonzero(table.counts)[0]) + table.raw_bits for table in codes)
            for codes in sets
        )
        most = reads.rows * columns
        return min(most, reads.stream_bits // shortest) if shortest else most


def stacked(tables: Sequence[CodeTable]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Raw bits, limits, offsets and entries of tables, one row each."""
    entries = np.zeros((len(tables), MAX_SYMBOLS), np.uint8)
    for row, table in zip(entries, tables, strict=True):
        row[: len(table.entries)] = table.entries
    return (
        np.array([table.raw_bits for table in tables], np.int64),
        np.stack([table.limits() for table in tables]),
        np.stack([table.offsets() for table in tables]),
        entries,
    )


def _record_bytes(scales: int) -> int:
    """Bytes of a row's record: with a scale of its own where there are no shared ones."""
    return ROW_DTYPE.itemsize + (0 if scales else SCALE_DTYPE.itemsize)
