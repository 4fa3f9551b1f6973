"""The matrix-vector command: load tables and activations, run the lanes, drain the requantiser.

Its cycles depend on the weights and the configuration alone, so they are stepped once and
remembered with the decoded nonzeros; `step=True` steps every time. Both ways give the same bits and
cycles.
"""

from dataclasses import dataclass, replace

import numpy as np

from npu import timing
from npu.errors import MachineError
from npu.format import (
    BLOCK_HEADER_BYTES,
    MAX_TILE_ROWS,
    PARAM_WORD,
    ROW_DTYPE,
    SCALE_DTYPE,
    SCALES_AT,
    WORD_BITS,
    CodeTable,
    block_bytes,
    directory_words,
    padded_entries,
    unpack_block,
)
from npu.isa import Command, ElementType
from npu.params import ChipParams
from npu.twin import lane

# Symbols of one plan and of all plans that are remembered: what is larger is stepped every time.
MAX_PLAN_SYMBOLS = 1 << 24
MAX_PLANNED_SYMBOLS = 1 << 26


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


@dataclass(frozen=True)
class Reads:
    """What a command reads besides its activations.

    Attributes
    ----------
    base : first 32-bit word of the sections in every bank.
    records, rows : row records that the directories name (one more than the highest), rows of all
        slots.
    stream_bits : bits of all sections without their directories, as the directories say.
    spans : (space, first, end) in the units of `npu.isa`.
    """

    base: int
    records: int
    rows: int
    stream_bits: int
    spans: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, eq=False)
class _Plan:
    """Everything about a command that does not change while its weights stay the same.

    `elements` of the destination are written; `remembered` says whether the symbols are all there.
    """

    bias: np.ndarray
    destination: np.ndarray
    scale: np.ndarray
    multipliers: np.ndarray
    shifts: np.ndarray
    per_row: bool
    order: np.ndarray
    elements: np.ndarray
    first: np.ndarray
    column: np.ndarray
    weight: np.ndarray
    remembered: bool
    work: Work


class MatVec:
    """Executes MATVEC commands and remembers their plans under the keys that the caller gives."""

    def __init__(self, params: ChipParams) -> None:
        self.params = params
        self._plans: dict[tuple, _Plan] = {}
        self._planned_symbols = 0

    def reads(self, cmd: Command, banks: np.ndarray, param: np.ndarray) -> Reads:
        """What `cmd` will read. Raises MachineError when its directories lie outside the banks."""
        p = self.params
        base = cmd.bank * (p.bus_bytes * 8 // WORD_BITS)
        head = directory_words(p.threads)
        if base + head > banks.shape[1]:
            raise MachineError(f"matvec: section at bank word {base} lies outside the bank")
        words = banks[:, base : base + head].astype(np.int64)
        slots = words[:, : head - 1].reshape(-1, 2) >> lane.START_BITS
        rows, row_base = slots[:, 0], slots[:, 1]
        records = int(np.max(np.where(rows > 0, rows + row_base, 0)))
        ends = words[:, head - 1]
        stream_bits = int(np.minimum(ends, p.bank_bytes * 8).sum()) - head * WORD_BITS * p.lanes
        bank_end = cmd.bank - int(-max(head * WORD_BITS, ends.max()) // (p.bus_bytes * 8))
        block = param[cmd.block : cmd.block + BLOCK_HEADER_BYTES]
        n_run, n_value, n_scales = (
            (int(block[1]), int(block[3]), int(block[SCALES_AT]))
            if len(block) == BLOCK_HEADER_BYTES
            else (0, 0, 0)
        )
        item = ROW_DTYPE.itemsize + (0 if n_scales else SCALE_DTYPE.itemsize)
        return Reads(
            *(base, records, int(rows.sum()), max(0, stream_bits)),
            (
                ("bank", cmd.bank, bank_end),
                ("param", cmd.block, cmd.block + block_bytes(n_run, n_value, n_scales)),
                ("param", cmd.rows, cmd.rows + records * item),
            ),
        )

    def execute(
        self,
        cmd: Command,
        key: tuple | None,
        reads: Reads,
        banks: np.ndarray,
        param: np.ndarray,
        sram: np.ndarray,
    ) -> tuple[Work, np.ndarray]:
        """Do the command.

        key : names the contents of banks and parameter memory that it reads; None to step the lanes
            whatever is remembered.

        Returns the work and the elements that were written, in the order of their addresses.
        Raises MachineError with the unit, place and reason of a corrupt stream or table.
        """
        columns = cmd.columns
        if columns > self.params.activation_entries:
            raise MachineError(
                f"matvec: {columns} columns, a lane's activation copy holds "
                f"{self.params.activation_entries}"
            )
        activations = sram[cmd.a : cmd.a + columns].view(np.int8).astype(np.int64) - cmd.a_zero
        element = ElementType(cmd.dst_type)
        limit = (len(sram) - cmd.dst) // element.n_bytes
        out = np.empty(limit, np.int64)
        plan = self._plans.get(key) if key is not None else None
        # A destination outside SRAM: the lanes find it where it stands.
        if plan is None or np.max(plan.elements, initial=-1) >= limit:
            plan = self._step(cmd, reads, banks, param, activations, out, record=key is not None)
            work = plan.work
            if key is not None and plan.remembered:
                self._planned_symbols += work.symbols
                self._plans[key] = plan
        else:
            gated = lane.planned(
                *(plan.first, plan.column, plan.weight, plan.order, activations, plan.bias),
                *(plan.destination, plan.scale, plan.multipliers, plan.shifts, plan.per_row),
                *(cmd.dst_zero, cmd.lo, cmd.hi, out),
            )
            work = replace(plan.work, gated=int(gated))
        target = sram[cmd.dst : cmd.dst + limit * element.n_bytes]
        target = target.view(np.int8 if element is ElementType.INT8 else np.int16)
        target[plan.elements] = out[plan.elements]
        return work, target[plan.elements]

    def _step(
        self,
        cmd: Command,
        reads: Reads,
        banks: np.ndarray,
        param: np.ndarray,
        activations: np.ndarray,
        out: np.ndarray,
        record: bool,
    ) -> _Plan:
        p = self.params
        block = unpack_block(param, cmd.block)
        if isinstance(block, str):
            raise MachineError(f"matvec: {block}")
        run, value, scales = block
        per_row = len(scales) == 0
        n_records = reads.records
        item = ROW_DTYPE.itemsize + (SCALE_DTYPE.itemsize if per_row else 0)
        if cmd.rows + n_records * item > len(param) or cmd.rows % PARAM_WORD:
            raise MachineError(
                f"matvec: {n_records} row records at {cmd.rows:#x} lie outside parameter memory"
            )
        if reads.rows > MAX_TILE_ROWS:
            raise MachineError(f"matvec: {reads.rows} rows, a tile has at most {MAX_TILE_ROWS}")
        raw = param[cmd.rows : cmd.rows + n_records * item].reshape(n_records, item)
        rows = raw[:, : ROW_DTYPE.itemsize].copy().view(ROW_DTYPE)[:, 0]
        if per_row:
            scales = raw[:, ROW_DTYPE.itemsize :].copy().view(SCALE_DTYPE)[:, 0]
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
        capacity = self._capacity(run, value, reads, cmd.columns) if record else 0
        order = np.zeros((reads.rows, 2), np.int64)
        plan_row = np.zeros(capacity, np.int32)
        plan_column = np.zeros(capacity, np.int32)
        plan_weight = np.zeros(capacity, np.int8)
        status, at_lane, thread, bit, cycles, symbols, macs, gated, stalled = lane.step(
            *(banks, reads.base, p.threads),
            *(run.raw_bits, run.limits(), run.offsets(), run.entries),
            *(value.raw_bits, value.limits(), value.offsets(), value.entries),
            *(activations, bias, destination, scale, multipliers, shifts, per_row),
            *(p.result_fifo, cmd.dst_zero, cmd.lo, cmd.hi, out, order),
            *(plan_row, plan_column, plan_weight),
        )
        if status:
            raise MachineError(
                f"matvec: {lane.STATUS[status]} (lane {at_lane}, thread {thread}, bit {bit})"
            )
        symbols = int(symbols)
        by_row = np.argsort(plan_row[:symbols], kind="stable")
        first = np.zeros(reads.rows + 1, np.int64)
        np.cumsum(np.bincount(plan_row[:symbols], minlength=reads.rows), out=first[1:])
        block_words = block_bytes(len(run.entries), len(value.entries), len(block[2])) // PARAM_WORD
        load = max(
            timing.load_block(
                padded_entries(len(run.entries)) // PARAM_WORD,
                padded_entries(len(value.entries)) // PARAM_WORD,
                len(block[2]),
            ),
            -(-cmd.columns // p.bus_bytes),
            timing.prime(p.threads, directory_words(p.threads)),
        )
        work = Work(
            cycles=timing.MATVEC_START + load + int(cycles) + timing.MATVEC_END,
            run_cycles=int(cycles),
            symbols=symbols,
            macs=int(macs),
            gated=int(gated),
            stalled=int(stalled),
            param_bytes=block_words * PARAM_WORD + n_records * item,
            rows=reads.rows,
        )
        return _Plan(
            bias=bias,
            destination=destination,
            scale=scale,
            multipliers=multipliers,
            shifts=shifts,
            per_row=per_row,
            order=order,
            elements=np.unique(destination[order[:, 1]]),
            first=first,
            column=plan_column[by_row],
            weight=plan_weight[by_row],
            remembered=symbols <= capacity,
            work=work,
        )

    def _capacity(self, run: CodeTable, value: CodeTable, reads: Reads, columns: int) -> int:
        """An upper bound of the symbols, or as many as may be remembered."""
        left = min(MAX_PLAN_SYMBOLS, MAX_PLANNED_SYMBOLS - self._planned_symbols)
        bound = min(left, reads.rows * columns)
        # A code of a single entry takes no bits: then only the columns bound the symbols.
        shortest = sum(int(np.flatnonzero(t.counts)[0]) + t.raw_bits for t in (run, value))
        return min(bound, reads.stream_bits // shortest) if shortest else bound
