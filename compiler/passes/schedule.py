"""Scheduling: segments become commands, and weights are streamed behind the products."""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from itertools import cycle

import numpy as np

from compiler.lowering.ir import (
    CALL_END,
    Buffer,
    ChipModule,
    ChipOperator,
    GatherRow,
    LayerError,
    LoadConstant,
    LoadInput,
    Loops,
    MatVec,
    Routine,
    Segment,
    StoreOutput,
    StraightOperator,
    Vector,
    View,
)
from compiler.lowering.registers import FEATURES, SCRATCH
from compiler.passes.assembler import Assembler, MemoryMap
from compiler.passes.branches import Branches, BranchOperator
from compiler.passes.constants import Constants
from compiler.passes.weights import WINDOWS, PlacedTile, WeightPlan, table_bytes
from npu.chip.isa import OPCODES, OPERANDS, TAGS
from npu.chip.params import ChipParams
from npu.model.layer import Layer
from npu.runtime.header import TensorInfo

ADDRESSES = 1 << 24
"""Of SRAM, in a command: a window may begin before its tensor."""

BOOT_TAG = TAGS - 1
BOOT, RESET = Layer("", "boot"), Layer("", "reset")


class Scheduler:
    """Emits segments of a module.

    Parameters
    ----------
    tensors : tensors in external memory, by name.
    relative : tensors whose address is added to register FEATURES.
    ahead : tiles that are in the windows when their segment begins, see `WeightPlan.ahead`.
    """

    def __init__(
        self,
        assembler: Assembler,
        params: ChipParams,
        plan: WeightPlan,
        memory: MemoryMap,
        tensors: dict[str, TensorInfo],
        relative: frozenset[str] = frozenset(),
        ahead: Sequence[PlacedTile] = (),
    ) -> None:
        self.assembler = assembler
        self.params = params
        self.plan = plan
        self.tensors = tensors
        self.relative = relative
        self.constants = Constants(params, memory)
        # What the units hold from the commands before, as far as it is sure.
        self._held: dict[str, object] = {}
        self._ahead = ahead
        self._routines = 0
        self._branches = Branches(assembler)
        self._may_end = False

    def boot(self, constants_address: int) -> None:
        """Load what stays on the chip."""
        asm, p = self.assembler, self.params
        if self.plan.constants:
            beats = len(self.plan.constants) // p.bus_bytes
            asm.emit("LOAD_PARAM", BOOT, ext=constants_address, beats=beats, tag=BOOT_TAG)
        for placed in self.plan.matrices.values():
            for tile in placed.tiles:
                if tile.stays:
                    self._load_bank(tile, tile.bank, BOOT_TAG, BOOT)
        asm.emit("WAIT", BOOT, tags=1 << BOOT_TAG)
        if len(self.plan.tables) == 1:
            asm.emit("TABLE", BOOT, param=next(iter(self.plan.tables.values())))
        asm.emit("HALT", BOOT)

    def reset(self, module: ChipModule) -> None:
        """Fill the states, and the windows of what is streamed."""
        self._load_ahead(RESET)
        for buffer, value in module.resets:
            if isinstance(value, np.ndarray):
                if buffer.n_bytes:
                    self._move(LoadConstant(value, buffer), RESET)
                continue
            fields = {"dst_type": int(buffer.element), "imm": value}
            self._vector(Vector("VFILL", buffer.n, buffer.whole(), fields=fields), RESET)

    def segment(self, segment: Segment) -> None:
        """Emit a segment, stretch by stretch: turns of loops and ways of gates are some."""
        self._held.clear()
        self._may_end = False
        tiles = self.plan.streamed(segment)
        streams = bool(tiles)
        stretch: list[tuple[StraightOperator, Layer]] = []
        for op, layer in zip(segment.operators, segment.layers, strict=True):
            if not isinstance(op, BranchOperator):
                stretch.append((op, layer))
                continue
            self._stretch(segment.name, stretch, streams)
            stretch = []
            if self._branches.emit(op, layer):
                # Units hold what one way or the other has left.
                self._held.clear()
        self._stretch(segment.name, stretch, streams)
        # Behind what is stored, which would wait for it; two tiles have never left the windows.
        if len(tiles) > len(self._ahead):
            self._load_ahead(Layer(segment.name, "streaming"))

    def _stretch(
        self, segment: str, operators: Sequence[tuple[StraightOperator, Layer]], streams: bool
    ) -> None:
        """Emit operators one behind the other; streamed tiles load two ahead of their products.

        streams : whether the segment streams at all.
        """
        streaming = Layer(segment, "streaming")
        streamed = deque(
            tile
            for op, _ in operators
            if isinstance(op, MatVec)
            for tile in self.plan.matrices[op.matrix].tiles
            if not tile.stays
        )
        # The window that is filled next, and the one that is multiplied next.
        fill, use = cycle((0, 1)), cycle((0, 1))
        ahead = bool(streamed) and streamed[0] in self._ahead
        for _ in self._ahead if ahead else ():
            streamed.popleft()
            next(fill)

        def load(tiles: int) -> None:
            for _ in range(min(tiles, len(streamed))):
                self._load_tile(streamed.popleft(), next(fill), streaming)

        loaded_table = None
        begun = False
        for op, layer in operators:
            if not begun and not isinstance(op, LoadInput):
                # Behind the inputs, which are waited for at once: transfers end in order.
                begun = True
                load(0 if ahead else WINDOWS)
            if isinstance(op, MatVec):
                plan = self.plan
                for tile in plan.matrices[op.matrix].tiles:
                    if tile.stays:
                        self._matvec(op, tile.bank, tile.records)
                        continue
                    window = next(use)
                    self.assembler.emit("WAIT", streaming, tags=1 << window)
                    own = plan.streams_records
                    records = plan.stream_records[window] if own else tile.records
                    self._matvec(op, plan.stream_banks[window], records)
                    load(1)
            elif _moves_nothing(op):
                continue
            elif isinstance(op, Vector):
                loaded_table = self._vector(op, layer, loaded_table)
            elif isinstance(op, Routine):
                self._routine(op, layer)
            else:
                if isinstance(op, StoreOutput):
                    self._end(streams)
                self._move(op, layer)

    def _end(self, streamed: bool) -> None:
        """Place the label CALL_END, if somebody goes there; what still loads is waited for."""
        if self._may_end:
            self._may_end = False
            self.assembler.label(CALL_END)
            if streamed:
                self.assembler.emit("WAIT", tags=3)

    def _load_ahead(self, layer: Layer) -> None:
        """Load the first tiles of the segment that streams: those of its next run."""
        for window, tile in enumerate(self._ahead):
            self._load_tile(tile, window, layer)

    def _load_bank(self, tile: PlacedTile, bank: int, tag: int, layer: Layer) -> None:
        beats = len(tile.tile.image) // self.params.bus_bytes
        self.assembler.emit("LOAD_BANK", layer, ext=tile.external, bank=bank, beats=beats, tag=tag)

    def _load_tile(self, tile: PlacedTile, half: int, layer: Layer) -> None:
        self._load_bank(tile, self.plan.stream_banks[half], half, layer)
        if not self.plan.streams_records:
            return
        beats = self.params.align(len(tile.tile.records)) // self.params.bus_bytes
        self.assembler.emit(
            "LOAD_PARAM",
            layer,
            ext=tile.external_records,
            param=self.plan.stream_records[half],
            beats=beats,
            tag=half,
        )

    def _matvec(self, op: MatVec, bank: int, records: int) -> None:
        layer, block = op.matrix.layer, self.plan.matrices[op.matrix].block
        flags: dict[str, int] = {}
        if op.window is not None:
            self._hold("WINDOW", layer, asdict(op.window))
            self._hold("POSITIONS", layer, asdict(op.positions))
            flags["windowed"] = 1
        flags |= {f"{name}_rel": 1 for name in op.travel}
        if self._held.get("block") == block:
            flags["held"] = 1
        self._held["block"] = block
        if op.sums is not None:
            n_bytes = op.sums.element.n_bytes
            flags["sums"] = (op.sums.address - n_bytes * op.dst.address) % ADDRESSES
            flags |= {"raw": int(op.raw), "add": int(op.add)}
        self.assembler.emit(
            "MATVEC",
            layer,
            None,
            dst=op.dst.address,
            columns=op.matrix.weights.shape[1],
            a=op.src.address % ADDRESSES,
            dst_type=int(op.dst.element),
            bank=bank,
            block=block,
            rows=records,
            lo=op.lo,
            hi=op.hi,
            a_zero=op.src_zero,
            dst_zero=op.dst_zero,
            **flags,
        )

    def _hold(self, opcode: str, layer: Layer, fields: dict[str, int]) -> None:
        """Emit a command that sets what a unit holds, unless it holds just that."""
        if self._held.get(opcode) != fields:
            self.assembler.emit(opcode, layer, None, **fields)
            self._held[opcode] = fields

    def _vector(self, op: Vector, layer: Layer, loaded_table: bytes | None = None) -> bytes | None:
        if op.table is not None:
            table = table_bytes(op.table)
            # A single table was loaded at boot; of several, load the one that is wanted.
            if len(self.plan.tables) > 1 and table != loaded_table:
                self.assembler.emit("TABLE", layer, param=self.plan.tables[table])
                loaded_table = table
        most = OPCODES[op.opcode].field("n").range[1]
        most -= most % self.params.vector_elements
        if op.n > most and op.opcode == "VARGMAX":
            raise LayerError(layer, f"the largest of {op.n} values, the chip takes {most}")
        views = {k: v for k in OPERANDS if (v := getattr(op, k)) is not None}
        loops = op.loops or self._walk(views, op)
        for first in range(0, op.n, most):
            n = min(most, op.n - first)
            places = {
                k: v.address + first * _stride(loops, k, v.element.n_bytes)
                for k, v in views.items()
            }
            fields = {"n": n, **places, **op.fields}
            fields |= {f"{name}_rel": 1 for name in op.travel}
            if loops is not None:
                self._hold("VLOOP", layer, loops.fields())
                fields["looped"] = 1
            self.assembler.emit(op.opcode, layer, None, **fields)
        return loaded_table

    def _walk(self, views: dict[str, View], op: Vector) -> Loops | None:
        """A walk through vectors that do not all lie as the unit takes them; None if they do.

        Where those with a base lie is known only where that moves in steps.
        """
        item = {k: v.element.n_bytes for k, v in views.items()}
        based = any(op.fields.get(f"{k}_rel") for k in views)
        steps = {k: op.travel[k].step if k in op.travel else 0 for k in views}
        width = self.params.vector_elements
        if not based and all(
            v.address % (width * item[k]) == steps[k] % (width * item[k]) == 0
            for k, v in views.items()
        ):
            return None
        return Loops((1, 1), **{k: (n_bytes, 0, 0) for k, n_bytes in item.items()})

    def _routine(self, op: Routine, layer: Layer) -> None:
        """Its lines, with labels that no other routine has."""
        self._routines += 1
        for line in op.lines:
            to = None if line.to is None else f"routine {self._routines}: {line.to}"
            if line.to == CALL_END:
                to, self._may_end = CALL_END, True
            if not line.opcode:
                assert to is not None, "a label has a name"
                self.assembler.label(to)
                continue
            addresses = {k: line.fields.get(k, 0) + v.address for k, v in line.views.items()}
            fields = {**line.fields, **addresses}
            # What it sets is not what was held before.
            self._held.pop(line.opcode, None)
            self.assembler.emit(line.opcode, layer, to, **fields)

    def _move(self, op: LoadConstant | LoadInput | StoreOutput | GatherRow, layer: Layer) -> None:
        asm, p = self.assembler, self.params
        match op:
            case LoadInput(dst=Buffer() as dst):
                base = FEATURES if op.tensor in self.relative else 0
                asm.emit(
                    "LOAD",
                    layer,
                    rs1=base,
                    ext=self.tensors[op.tensor].address,
                    sram=dst.address,
                    beats=dst.n_bytes // p.bus_bytes,
                )
            case LoadConstant():
                asm.emit(
                    "LOAD",
                    layer,
                    ext=self.constants.address(op.data),
                    sram=op.dst.address,
                    beats=op.dst.n_bytes // p.bus_bytes,
                )
            case LoadInput():
                address = self.tensors[op.tensor].address + 4 * op.element
                asm.emit("LOAD_REG", layer, rd=op.rd, ext=address)
            case StoreOutput():
                asm.emit(
                    "STORE",
                    layer,
                    ext=self.tensors[op.tensor].address,
                    sram=op.src.address,
                    beats=op.src.n_bytes // p.bus_bytes,
                )
            case GatherRow():
                stride = p.align(op.table.shape[1])
                asm.emit("MUL", layer, rd=SCRATCH, rs1=op.register, imm=stride)
                asm.emit(
                    "LOAD",
                    layer,
                    rs1=SCRATCH,
                    ext=self.constants.address(op.table),
                    sram=op.dst.address,
                    beats=stride // p.bus_bytes,
                )


def _moves_nothing(op: ChipOperator) -> bool:
    """Whether a transfer is one of a tensor without elements, or a copy stays where it is."""
    match op:
        case LoadInput(dst=Buffer() as buffer) | LoadConstant(dst=buffer) | StoreOutput(src=buffer):
            return buffer.n_bytes == 0
        case Vector(opcode="VCOPY", dst=View() as dst, a=View() as a, loops=loops, fields=fields):
            based = fields.get("a_rel") or fields.get("dst_rel")
            alike = loops is None or loops.a == loops.dst
            return alike and not based and a.address == dst.address
    return False


def _stride(loops: Loops | None, operand: str, n_bytes: int) -> int:
    """From one element to the next."""
    return n_bytes if loops is None else getattr(loops, operand)[0]
