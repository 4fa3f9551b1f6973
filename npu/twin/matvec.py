"""The matrix-vector command: load tables and activations, run the lanes, drain the requantiser.

Its cycles depend on the weights and the configuration alone, so they are stepped once and
remembered with the decoded nonzeros; `step=True` steps every time. Both ways give the same bits and
cycles.
"""

from dataclasses import dataclass

import numpy as np

from npu import timing
from npu.errors import MachineError
from npu.format import (
    PARAM_WORD,
    ROW_DTYPE,
    SCALE_DTYPE,
    CodeTable,
    block_bytes,
    directory_words,
    unpack_block,
)
from npu.isa import Command, ElementType
from npu.params import ChipParams
from npu.twin import lane

_NO_PLAN = np.zeros(0, np.int64)


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
    sram_bytes: int


@dataclass(frozen=True, eq=False)
class _Plan:
    """Everything about a command that does not change while its weights stay the same."""

    block: tuple[CodeTable, CodeTable, np.ndarray]
    bias: np.ndarray
    destination: np.ndarray
    scale: np.ndarray
    multipliers: np.ndarray
    shifts: np.ndarray
    per_row: bool
    first: np.ndarray
    column: np.ndarray
    weight: np.ndarray
    work: Work


class MatVec:
    """Executes MATVEC commands and remembers their plans.

    A plan is keyed by the command's place in memory and by what was last loaded there; `forget`
    drops the plans whose memory was overwritten.
    """

    def __init__(self, params: ChipParams) -> None:
        self.params = params
        self._plans: dict[tuple, _Plan] = {}

    def execute(
        self,
        cmd: Command,
        key: tuple,
        banks: np.ndarray,
        param: np.ndarray,
        sram: np.ndarray,
        step: bool,
    ) -> tuple[Work, np.ndarray]:
        """Do the command. `key` names the contents of banks and parameter memory it reads.

        Returns the work and the destination vector, up to the last element that was written.
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
        plan = None if step else self._plans.get(key)
        if plan is None:
            out = np.zeros(limit, np.int64)
            plan = self._step(cmd, banks, param, activations, out, record=not step)
            if not step:
                self._plans[key] = plan
            work = plan.work
        else:
            out = np.empty(limit, np.int64)
            gated = lane.planned(
                *(plan.first, plan.column, plan.weight, activations, plan.bias, plan.destination),
                *(plan.scale, plan.multipliers, plan.shifts, plan.per_row),
                *(cmd.dst_zero, cmd.lo, cmd.hi, out),
            )
            w = plan.work
            work = Work(
                *(w.cycles, w.run_cycles, w.symbols, w.macs, int(gated), w.stalled),
                *(w.param_bytes, w.sram_bytes),
            )
        target = sram[cmd.dst : cmd.dst + limit * element.n_bytes]
        target = target.view(np.int8 if element is ElementType.INT8 else np.int16)
        target[plan.destination] = out[plan.destination]
        return work, target[: int(np.max(plan.destination, initial=-1)) + 1]

    def _step(
        self,
        cmd: Command,
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
        words = p.bus_bytes // 4
        base = cmd.bank * words
        if base + directory_words(p.threads) > banks.shape[1]:
            raise MachineError(f"matvec: section at bank word {base} lies outside the bank")
        n_records = self._records(cmd, banks, base)
        item = ROW_DTYPE.itemsize + (SCALE_DTYPE.itemsize if per_row else 0)
        if cmd.rows + n_records * item > len(param) or cmd.rows % PARAM_WORD:
            raise MachineError(
                f"matvec: {n_records} row records at {cmd.rows:#x} lie outside parameter memory"
            )
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
        capacity = 0
        if record:
            # Upper bounds of the number of symbols: every one moves a column.
            capacity = n_records * max(cmd.columns, 1)
            bits = banks[:, base + 2 * p.threads].astype(np.int64).sum()
            capacity = min(capacity, int(bits) + n_records) if bits else capacity
        plan_row = np.zeros(capacity, np.int32)
        plan_column = np.zeros(capacity, np.int32)
        plan_weight = np.zeros(capacity, np.int8)
        status, at_lane, thread, bit, cycles, symbols, macs, gated, stalled = lane.step(
            *(banks, base, p.threads),
            *(run.raw_bits, run.limits(), run.offsets(), run.entries),
            *(value.raw_bits, value.limits(), value.offsets(), value.entries),
            *(activations, bias, destination, scale, multipliers, shifts, per_row),
            *(p.result_fifo, cmd.dst_zero, cmd.lo, cmd.hi, out),
            *(plan_row, plan_column, plan_weight),
        )
        if status:
            raise MachineError(
                f"matvec: {lane.STATUS[status]} (lane {at_lane}, thread {thread}, bit {bit})"
            )
        order = np.argsort(plan_row[:symbols], kind="stable")
        counts = np.bincount(plan_row[:symbols], minlength=n_records)
        first = np.zeros(n_records + 1, np.int64)
        if record:
            np.cumsum(counts, out=first[1:])
        block_words = block_bytes(len(run.entries), len(value.entries), len(block[2])) // PARAM_WORD
        load = max(
            block_words,
            -(-cmd.columns // p.bus_bytes),
            timing.prime(p.threads, directory_words(p.threads)),
        )
        work = Work(
            cycles=timing.MATVEC_START + load + int(cycles) + timing.MATVEC_END,
            run_cycles=int(cycles),
            symbols=int(symbols),
            macs=int(macs),
            gated=int(gated),
            stalled=int(stalled),
            param_bytes=block_words * PARAM_WORD + n_records * item,
            sram_bytes=p.align(cmd.columns) + n_records * ElementType(cmd.dst_type).n_bytes,
        )
        return _Plan(
            *(block, bias, destination, scale, multipliers, shifts, per_row),
            *(first, plan_column[order], plan_weight[order], work),
        )

    def _records(self, cmd: Command, banks: np.ndarray, base: int) -> int:
        """Row records that the sections' directories name: one more than the highest."""
        threads = self.params.threads
        words = banks[:, base : base + 2 * threads].astype(np.int64).reshape(-1, 2)
        rows = words[:, 0] >> lane.START_BITS & lane.MAX_SLOT_ROWS
        row_base = words[:, 1] >> lane.START_BITS & ((1 << lane.ROWS_BITS) - 1)
        return int(np.max(np.where(rows > 0, rows + row_base, 0), initial=0))

    def forget(self) -> None:
        """Drop every plan."""
        self._plans.clear()
